/**
 * A cluster on all cores of one machine. One worker per core (or WORKERS) shares PORT (9999), each with its own
 * sessions. A WebSocket stays with the worker that accepts it. Requests of the other transports contain their session,
 * and `<server>` in `/echo/<server>/<session>/<transport>` selects the worker that owns it. Any other worker relays
 * such a request to the owner (relay.ts).
 *
 * This is the primary process. It starts workers, replaces those that end, and sends the ports of all workers to each.
 * On SIGTERM all workers close their sessions before any of them exits.
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
  // A worker that has just ended cannot receive messages, and its 'exit' event follows.
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
    // Another worker would fail in the same way.
    if (!isListening) process.exit(1);
    start(index);
  });
}

/** Workers exit when all are drained, because another worker may relay the last frames to a client. */
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
