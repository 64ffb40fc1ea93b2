/**
 * A cluster on Redis: three nodes behind HAProxy in round robin, without sticky sessions. The page shows which node
 * serves which request. This program starts redis-server, the nodes (node.ts) and HAProxy with the recipe of
 * deploy/cluster, on PORT (9999). It starts a node again that ends: kill one, and see what happens.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const NAMES = ['a', 'b', 'c'];
const HAPROXY_FILE = join(import.meta.dirname, '../../deploy/cluster/haproxy.cfg');
// Debian has servers in sbin, which is not in the PATH of every user.
const PATH = [process.env['PATH'], '/usr/sbin', '/usr/local/sbin'].join(delimiter);

const directory = await mkdtemp(join(tmpdir(), 'sockjs-cluster-'));
const redisSocket = join(directory, 'redis.sock');
const programs: ChildProcess[] = [];
const nodes = new Map<string, ChildProcess>();
let isReady = false;
let isStopping = false;

function describeNode(name: string, { pid }: ChildProcess): string {
  return `Node ${name} is process ${pid}.`;
}

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  const running = [...nodes.values()].filter(({ connected }) => connected);
  const ended = running.map((node) => once(node, 'exit'));
  for (const node of running) node.send('stop');
  await Promise.all(ended);
  for (const program of programs) program.kill();
  await rm(directory, { recursive: true, force: true });
}

async function fail(line: string): Promise<void> {
  if (isStopping) return;
  console.error(line);
  process.exitCode = 1;
  await stop();
}

/** Starts redis-server or haproxy. Ctrl-C does not reach it, since the nodes need it until they have closed. */
function start(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const options = { env: { ...process.env, PATH, ...env }, detached: true };
  const program = spawn(name, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [program.stdout, program.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-2000);
    });
  program.on('error', () => {
    void fail(
      `This example needs redis-server and haproxy, and ${name} cannot be started. Debian: ` +
        'apt-get install redis-server haproxy. macOS: brew install redis haproxy.',
    );
  });
  program.on('exit', (code) => void fail(`${name} has ended with ${code}:\n${output}`));
  programs.push(program);
  return program;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Waits until a program accepts connections. */
async function accepts(
  address: { readonly port: number } | { readonly path: string },
): Promise<void> {
  const socket = connect(address);
  try {
    await once(socket, 'connect');
  } catch {
    if (isStopping) return;
    await sleep(50);
    await accepts(address);
  } finally {
    socket.destroy();
  }
}

/** Starts a node, and starts it again when it ends. Resolves when it listens. */
async function startNode(name: string, port: number): Promise<void> {
  const env = { ...process.env, NAME: name, PORT: String(port), REDIS_SOCKET: redisSocket };
  const node = fork(join(import.meta.dirname, 'node.ts'), { env });
  nodes.set(name, node);
  node.on('exit', (code, signal) => {
    if (isStopping) return;
    console.error(`Node ${name} has ended with ${signal ?? code}.`);
    void startNode(name, port);
  });
  await once(node, 'message');
  if (isReady) console.log(describeNode(name, node));
}

async function main(): Promise<void> {
  const port = Number(process.env['PORT'] || 9999) || (await freePort());
  start('redis-server', [
    '--port',
    '0',
    '--unixsocket',
    redisSocket,
    '--save',
    '',
    '--dir',
    directory,
  ]);
  await accepts({ path: redisSocket });
  if (isStopping) return;
  const ports = await Promise.all(NAMES.map(freePort));
  await Promise.all(NAMES.map((name, index) => startNode(name, ports[index] ?? 0)));
  const [a, b, c] = ports.map((each) => `127.0.0.1:${each}`);
  start('haproxy', ['-db', '-f', HAPROXY_FILE], {
    PORT: String(port),
    NODE_A: a,
    NODE_B: b,
    NODE_C: c,
  });
  await accepts({ port });
  if (isStopping) return;
  console.log(`Open http://localhost:${port}/ in a browser; Ctrl-C ends it.`);
  for (const [name, node] of nodes) console.log(describeNode(name, node));
  isReady = true;
}

process.on('SIGINT', () => void stop());
process.on('SIGTERM', () => void stop());
await main();
