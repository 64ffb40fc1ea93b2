/** Messages between a node as a process and the program that has started it. */
import type { EngineName } from './engine-servers.ts';

export interface NodeProcessOptions {
  readonly engine: EngineName;
  readonly url: string;
  readonly namespace: string;
  readonly number: number;
  readonly seed: string;
  readonly logFile: string;
  readonly relayPort: number;
  /** Port under which the other nodes reach the relay listener. */
  readonly advertisedPort: number;
}

/** Messages to the process. `quiet`: it sends nothing of its own any more. */
export type NodeCommand = 'close' | 'leftovers' | 'presence' | 'quiet';
/** Messages of the process. */
export type NodeReport =
  | { readonly type: 'started'; readonly port: number; readonly id: string }
  | { readonly type: 'done'; readonly relayed: number };

/** Exit code of a node that could not join. */
export const NOT_JOINED = 3;
