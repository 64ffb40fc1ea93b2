/**
 * All cores of one machine: as many workers as cores (or WORKERS) share PORT (9999), each with its own
 * sessions. A WebSocket may live in any worker. The requests of all other transports name their session, and
 * `<server>` in `/echo/<server>/<session>/<transport>` names the worker that has it; the worker that
 * happens to get such a request hands it on (relay.ts).
 *
 * This is the primary: it starts workers, replaces those that die, tells all of them where the others are,
 * and on SIGTERM has all clients told before anybody goes.
 */
import cluster, { type Worker } from 'node:cluster';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const count = Number(process.env['WORKERS'] ?? availableParallelism());
const workers: Worker[] = [];
/** The private port of each worker. */
const ports: number[] = [];
const drained = new Set<Worker>();
let isStopping = false;

function tellAll(message: 'drain' | 'end' | readonly number[]): void {
  // One that has just died cannot be told: its 'exit' is on its way.
  for (const worker of workers) if (worker.isConnected()) worker.send(message, () => {});
}

function start(index: number): void {
  const worker = cluster.fork({ INDEX: String(index), WORKERS: String(count) });
  let isListening = false;
  workers[index] = worker;
  worker.on('message', (message: unknown) => {
    if (message === 'drained') noteDrained(worker);
    if (typeof message !== 'number') return;
    ports[index] = message;
    if (Object.keys(ports).length === count) tellAll(ports);
  });
  worker.on('listening', ({ port }) => {
    isListening = true;
    const { pid } = worker.process;
    console.log(`Worker ${index}, process ${pid}, listens on http://localhost:${port}/echo`);
  });
  worker.on('exit', (code, signal) => {
    if (isStopping) return noteDrained(worker);
    console.error(`Worker ${index} has ended with ${signal ?? code}.`);
    // Another one would do no better.
    if (!isListening) process.exit(1);
    start(index);
  });
}

/** Nobody goes before all are drained: the last words to a client may come through another worker. */
function noteDrained(worker: Worker): void {
  drained.add(worker);
  if (workers.every((each) => drained.has(each))) tellAll('end');
}

function stop(): void {
  isStopping = true;
  tellAll('drain');
}

cluster.setupPrimary({ exec: join(import.meta.dirname, 'worker.ts') });
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
for (let index = 0; index < count; index += 1) start(index);
