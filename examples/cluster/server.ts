/**
 * A cluster on all cores of one machine. One worker per core (or WORKERS) shares PORT (9999), and any worker serves any
 * request: a session is on the worker that got its first request, and the others relay its further requests to it.
 *
 * This is the primary process. It has the hub of the cluster, starts workers, and replaces those that end. On SIGTERM
 * all workers close their sessions before any of them exits.
 */
import cluster, { type Worker } from 'node:cluster';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { startIpcHub } from 'sockjs-server/ipc';

const count = Number(process.env['WORKERS'] ?? availableParallelism());
const workers: Worker[] = [];
const drained = new Set<Worker>();
let isStopping = false;

function tellAll(message: 'drain' | 'end'): void {
  // A worker that has just ended cannot receive messages, and its 'exit' event follows.
  for (const worker of workers) if (worker.isConnected()) worker.send(message, () => {});
}

function start(index: number): void {
  const worker = cluster.fork();
  let isListening = false;
  workers[index] = worker;
  worker.on('message', (message: unknown) => {
    if (message === 'drained') noteDrained(worker);
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

startIpcHub();
cluster.setupPrimary({ exec: join(import.meta.dirname, 'worker.ts') });
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
for (let index = 0; index < count; index += 1) start(index);
