/**
 * All cores of one machine: one worker per core (or WORKERS of them) shares PORT (9999), and each has its own sessions.
 * A WebSocket stays in the worker that accepts it. Requests of all other transports contain their session, and
 * `<server>` in `/echo/<server>/<session>/<transport>` selects its worker. A worker that gets a request of another
 * worker's session relays it (relay.ts).
 *
 * This is the primary. It starts the workers, replaces those that die, sends each the ports of the others, and on
 * SIGTERM drains all of them before one ends.
 */
import cluster, { type Worker } from 'node:cluster';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const count = Number(process.env['WORKERS'] ?? availableParallelism());
const workers: Worker[] = [];
/** Private port of each worker. */
const ports: number[] = [];
const drained = new Set<Worker>();
let isStopping = false;

function tellAll(message: 'drain' | 'end' | readonly number[]): void {
  // A worker that has just died gets no message. Its 'exit' event follows.
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
    // A replacement would fail in the same way.
    if (!isListening) process.exit(1);
    start(index);
  });
}

/** Ends the workers after all are drained: the close frame of a client may go through another worker. */
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
