/** Proxies with their files in `deploy/cluster/`, started without root on free ports. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, temporaryDirectory } from '../../testkit/process.ts';
import type { TestScope } from '../../testkit/scope.ts';
import { freePorts } from '../../testkit/server.ts';

/** Changes the text of a file before the proxy loads it. */
export type Change = (text: string) => string;

export interface RunningProxy {
  readonly port: number;
  readonly program: Program;
}

export interface ClusterProxy {
  readonly name: string;
  /** Turns on the optional soft stickiness of the file. */
  readonly stick: Change;
  /** Starts the proxy in front of three nodes. It is stopped at the end of the test. */
  start(scope: TestScope, nodePorts: readonly number[], change?: Change): Promise<RunningProxy>;
}

async function readDeployed(file: string): Promise<string> {
  return readFile(fileURLToPath(new URL(`../../deploy/cluster/${file}`, import.meta.url)), 'utf8');
}

interface Start {
  readonly directory: string;
  /** Path of the file of the proxy. */
  readonly file: string;
  readonly port: number;
  readonly nodes: Readonly<Record<string, string>>;
}

async function startProxy(
  scope: TestScope,
  nodePorts: readonly number[],
  { file, change, run }: { file: string; change: Change; run: (start: Start) => Program },
): Promise<RunningProxy> {
  const directory = await temporaryDirectory(scope);
  const [port = 0] = await freePorts(1);
  const path = join(directory, file);
  await mkdir(join(directory, 'tls'));
  await writeFile(path, change(await readDeployed(file)).replace('listen 8080', `listen ${port}`));
  const [a, b, c] = nodePorts.map((nodePort) => `127.0.0.1:${nodePort}`);
  const nodes = { NODE_A: a ?? '', NODE_B: b ?? '', NODE_C: c ?? '' };
  const program = run({ directory, file: path, port, nodes });
  scope.after(async () => {
    await program.stop('SIGKILL');
  });
  await program.listens([port]);
  return { port, program };
}

const unchanged: Change = (text) => text;

/** Replaces one line of a file by others. @throws an error if the file has no such line */
function replaceOnce(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`The file has no '${from}'.`);
  return text.replace(from, to);
}

export const HAPROXY: ClusterProxy = {
  name: 'HAProxy',
  stick: (text) =>
    replaceOnce(
      replaceOnce(text, '    balance roundrobin\n', ''),
      '#balance hash path,field(-3,/)\n    #hash-type',
      'balance hash path,field(-3,/)\n    hash-type',
    ),
  start: (scope, nodePorts, change = unchanged) =>
    startProxy(scope, nodePorts, {
      file: 'haproxy.cfg',
      change,
      run: ({ file, port, nodes }) =>
        new Program('haproxy', ['-db', '-f', file], { env: { ...nodes, PORT: String(port) } }),
    }),
};

export const NGINX: ClusterProxy = {
  name: 'nginx',
  stick: (text) => replaceOnce(text, '#ip_hash', 'ip_hash'),
  start: (scope, nodePorts, change = unchanged) =>
    startProxy(scope, nodePorts, {
      file: 'nginx.conf',
      // Its configuration has no variables.
      change: (text) =>
        nodePorts.reduce(
          (changed, port, index) =>
            replaceOnce(changed, `127.0.0.1:${9001 + index}`, `127.0.0.1:${port}`),
          change(text),
        ),
      run: ({ directory, file }) => {
        const inForeground = 'daemon off; master_process off;';
        const args = ['-p', `${directory}/`, '-e', 'stderr', '-c', file, '-g', inForeground];
        return new Program('nginx', args);
      },
    }),
};

export const CADDY: ClusterProxy = {
  name: 'Caddy',
  stick: (text) =>
    replaceOnce(
      replaceOnce(text, '\t\tlb_policy round_robin\n', ''),
      '#lb_policy ip_hash',
      'lb_policy ip_hash',
    ),
  start: (scope, nodePorts, change = unchanged) =>
    startProxy(scope, nodePorts, {
      file: 'Caddyfile',
      change,
      run: ({ directory, file, port, nodes }) => {
        const folders = { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory };
        const env = { ...nodes, ...folders, ADDRESS: `:${port}` };
        return new Program('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { env });
      },
    }),
};

export const CLUSTER_PROXIES: readonly ClusterProxy[] = [HAPROXY, NGINX, CADDY];
