/** Exceptions in listeners, and input that ends the process of the original. */
import { fileURLToPath } from 'node:url';
import { type Program, startNode } from '../../../testkit/process.ts';
import { type RawRequest, RawHttpConnection } from '../../../testkit/raw-http.ts';
import { UPGRADE_HEADERS, upgradeRequest } from '../../../testkit/raw-websocket.ts';
import { RAW_WEBSOCKET, type Transport, WEBSOCKET, XHR } from '../../../testkit/transports.ts';
import { TimeoutError } from '../../../testkit/until.ts';
import type { Peer } from '../peer.ts';
import type { Json, Observations, Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

/** Time in which a client gets a close frame if it gets one at all. */
const QUIET = { timeout: 1000 };

const PROGRAM = fileURLToPath(new URL('../fault-program.ts', import.meta.url));

/** Keeps the compiled sources, which takes two thirds of the time from each process. */
const ENV = {
  NODE_COMPILE_CACHE:
    process.env['NODE_COMPILE_CACHE'] ??
    fileURLToPath(new URL('../../../node_modules/.cache/compiled', import.meta.url)),
};

type FaultyEvent = 'connection' | 'data' | 'end' | 'close' | 'none';
type FaultKind = 'throws' | 'rejects' | 'closes' | 'none';

interface Running {
  readonly program: Program;
  readonly port: number;
  /** Client of another, healthy connection. */
  readonly bystander: Peer;
}

async function start(stage: Stage, event: FaultyEvent, kind: FaultKind): Promise<Running> {
  const program = startNode(stage, PROGRAM, [stage.side.file, event, kind], {
    ipc: true,
    env: ENV,
  });
  const port = Number(await program.nextMessage());
  const bystander = stage.connect({ port }, { transport: WEBSOCKET });
  await bystander.saw('open');
  return { program, port, bystander };
}

/** Returns `lives` if the other client still gets an echo, or the exit code. */
async function fate({ program, bystander }: Running): Promise<Json> {
  await bystander.send('still here');
  const transcript = await bystander.saw(/^message|^socket/);
  if (transcript.includes('message still here')) return 'lives';
  return `exits with ${(await program.exited()).code}`;
}

/** Entries of a transcript that show what a fault does to the client. */
const END = /^close|^socket|^refused|ended$/;

/** Returns the first such entry, or `nothing` if none comes. */
async function endOf(peer: Peer): Promise<Json> {
  try {
    const transcript = await peer.saw(END, 1, QUIET);
    return transcript.find((entry) => END.test(entry)) ?? 'nothing';
  } catch (error) {
    if (error instanceof TimeoutError) return 'nothing';
    throw error;
  }
}

function errorsOf(stage: Stage, { stdout }: Program): Json {
  const lines = stdout.split('\n').filter((line) => line.startsWith('error: '));
  // Without the first line of the stack.
  return lines.map((line) => stage.normalize(line).replace(/\s{2,}at .*/, ''));
}

async function listenerFault(
  stage: Stage,
  event: FaultyEvent,
  kind: FaultKind,
): Promise<Observations> {
  const running = await start(stage, event, kind);
  const { program, port } = running;
  const peer = stage.connect({ port }, { query: 'fault' });
  if (event !== 'connection') {
    await peer.saw('open');
    // All listeners are there once the program has sent an echo.
    if (event !== 'data') {
      await peer.send('ready');
      await peer.saw('message ready');
    }
  }
  if (event === 'data') peer.send('fault').catch(() => {});
  else if (event !== 'connection') peer.abort();
  await program.prints(/^fault$/m);
  const process = await fate(running);
  const isGone = event === 'end' || event === 'close';
  const client = isGone ? 'gone' : await endOf(peer);
  // The output is complete once the program has ended.
  await program.stop();
  return { process, client, log: errorsOf(stage, program) };
}

const LISTENERS = 'Exceptions and rejections in listeners';

/** Observations of the original, on Node.js 24. On Node.js 20, an exception in `data` over a WebSocket ends it too. */
function originalOf(event: FaultyEvent, kind: FaultKind, transport: Transport): Observations {
  const isSocket = transport.isWebSocket;
  if (event === 'end' || event === 'close') return { process: 'exits with 1', log: [] };
  if (event === 'connection' || kind === 'rejects') {
    const client = isSocket ? 'socket 1006 ' : 'connection ended';
    return { process: 'exits with 1', client, log: [] };
  }
  if (isSocket) return { client: 'nothing', log: [] };
  const log = `error: Exception on "POST /echo/000/SESSION/xhr_send?fault" in filter "xhr_send": Error: the listener of data throws`;
  return { client: 'refused 500 500 - Internal Server Error', log: [log] };
}

function faultScenario(event: FaultyEvent, kind: FaultKind): Scenario {
  // After the end of a connection, its transport makes no difference.
  const transports = event === 'end' || event === 'close' ? [WEBSOCKET] : [WEBSOCKET, XHR];
  const message = `Error: the listener of ${event} ${kind}`;
  const log = `error: A listener for '${event}' failed; its connection is closed with 1011: ${message}`;
  const lives: Observations = {
    process: 'lives',
    client: 'close [1011,"Internal error"]',
    log: [log],
  };
  return {
    title: `the listener of ${event} ${kind}`,
    transports,
    differences: transports.map((transport) => {
      const original = originalOf(event, kind, transport);
      const names = Object.keys(original);
      const dropIn = Object.fromEntries(names.map((name) => [name, lives[name] ?? null]));
      return { row: LISTENERS, on: [transport], original, dropIn };
    }),
    run: async (stage) => listenerFault(stage, event, kind),
  };
}

/**
 * Sends a request, waits for the response, and resets the connection.
 * @param handled line that the program prints when it has handled a request without a response
 */
async function sendAndReset(
  stage: Stage,
  request: RawRequest,
  handled?: RegExp,
): Promise<Observations> {
  const running = await start(stage, 'none', 'none');
  const connection = new RawHttpConnection(running.port);
  stage.after(() => connection.close());
  connection.send(request);
  if (handled !== undefined) await running.program.prints(handled);
  const response = handled === undefined ? await connection.raw.readLine() : 'none';
  connection.abort();
  return { response, process: await fate(running) };
}

const UPGRADES = 'Upgrades for other URLs than those of WebSockets';

export const FAULTS: readonly Scenario[] = [
  ...(['connection', 'data', 'end', 'close'] as const).flatMap((event) =>
    (['throws', 'rejects'] as const).map((kind) => faultScenario(event, kind)),
  ),
  {
    title: 'a listener closes a raw WebSocket with a code that it cannot carry',
    transports: [RAW_WEBSOCKET],
    differences: [
      {
        row: 'Codes that a raw WebSocket cannot carry',
        original: { client: 'nothing' },
        dropIn: { client: 'socket 1000 Normal closure' },
      },
    ],
    run: async (stage) => listenerFault(stage, 'data', 'closes'),
  },
  {
    title: 'an upgrade of /info',
    differences: [
      { row: UPGRADES, original: { process: 'exits with 1' }, dropIn: { process: 'lives' } },
    ],
    run: async (stage) => sendAndReset(stage, upgradeRequest('/echo/info')),
  },
  {
    title: 'an upgrade of an event source, and a reset',
    differences: [
      { row: UPGRADES, original: { process: 'exits with 1' }, dropIn: { process: 'lives' } },
    ],
    run: async (stage) => sendAndReset(stage, upgradeRequest(`${stage.newSession()}/eventsource`)),
  },
  {
    title: 'an upgrade without a handler, and a reset',
    differences: [
      { row: UPGRADES, original: { process: 'exits with 1' }, dropIn: { process: 'lives' } },
    ],
    run: async (stage) => sendAndReset(stage, upgradeRequest('/other'), /^upgrade .other/m),
  },
  {
    title: 'an upgrade without a key',
    run: async (stage) => {
      const headers = UPGRADE_HEADERS.filter(([name]) => !name.startsWith('Sec-'));
      return sendAndReset(stage, { path: '/echo/000/s/websocket', headers });
    },
  },
  {
    title: 'a session with the name of a member of every object',
    differences: [
      {
        row: 'Sessions with the name `__proto__`',
        original: { response: 'HTTP/1.1 500 Internal Server Error' },
        dropIn: { response: 'HTTP/1.1 404 Not Found' },
      },
    ],
    run: async (stage) =>
      sendAndReset(stage, { method: 'POST', path: '/echo/000/__proto__/xhr_send', body: '["x"]' }),
  },
];
