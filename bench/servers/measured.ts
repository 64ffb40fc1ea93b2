/**
 * What every server under test has in common: it tells its port, answers what it is asked about itself, and
 * goes when the benchmark does.
 */
import type { Server } from 'node:http';
import { type SelfTime, startProfile, stopProfile } from './profile.ts';

/** In microseconds since the process began. */
export interface Usage {
  readonly user: number;
  readonly system: number;
}

/** In bytes, after a forced collection. */
export interface Memory {
  readonly resident: number;
  /** With external memory. */
  readonly heap: number;
}

/** What the benchmark asks, and gets. */
export interface Answers {
  readonly usage: Usage;
  readonly memory: Memory;
  readonly 'profile-start': true;
  readonly 'profile-stop': readonly SelfTime[];
}

export type Ask = keyof Answers;
/** Or it has one text sent to all clients, without an answer. */
export type Question = Ask | { readonly text: string; readonly receivers: number };

/** In milliseconds: how often each session is told that the server is there. */
export const HEARTBEAT_FRAME = Number(process.argv[2]);

/** Sends one text to all; `receivers` is how many there are. */
export type Broadcast = (text: string, receivers: number) => void;

function readMemory(): Memory {
  if (globalThis.gc === undefined) throw new Error('Node runs without --expose-gc.');
  globalThis.gc();
  globalThis.gc(); // What the first one finalised.
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, heap: heapUsed + external };
}

const ANSWERS: { readonly [Name in Ask]: () => Answers[Name] | Promise<Answers[Name]> } = {
  usage: () => process.cpuUsage(),
  memory: readMemory,
  'profile-start': startProfile,
  'profile-stop': stopProfile,
};

async function answer(ask: Ask): Promise<void> {
  process.send?.(await ANSWERS[ask]());
}

export function measured(server: Server, broadcast: Broadcast): void {
  process.on('message', (question: Question) => {
    if (typeof question !== 'string') broadcast(question.text, question.receivers);
    else void answer(question);
  });
  process.on('disconnect', () => process.exit());
  process.on('SIGINT', () => {}); // The benchmark gets it too, and ends this process.
  server.listen({ port: 0, host: '127.0.0.1', budget: 1024 }, () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
  });
}
