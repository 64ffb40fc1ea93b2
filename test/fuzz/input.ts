/**
 * Inputs for a server: steps on a few connections, as data that can be mutated, minimised and printed. Bytes are
 * strings of one character each. `SESSION0` to `SESSION9` stand for session ids, which are new each time that an
 * input is played.
 */
export type Step =
  /** Sends bytes in one write. */
  | { readonly do: 'send'; readonly on: number; readonly data: string }
  /** Sends bytes one by one. */
  | { readonly do: 'trickle'; readonly on: number; readonly data: string }
  /** Waits a few milliseconds for bytes of the server. */
  | { readonly do: 'await'; readonly on: number }
  /** Ends the client's side, and reads on. */
  | { readonly do: 'end'; readonly on: number }
  | { readonly do: 'reset'; readonly on: number }
  /** Stops reading. */
  | { readonly do: 'pause'; readonly on: number }
  | { readonly do: 'resume'; readonly on: number }
  /** Waits for longer than the delays of the server with low limits. */
  | { readonly do: 'rest'; readonly on: number };

export interface Input {
  /** Name of the generator that made it. */
  readonly kind: string;
  /** Index of the server under test. */
  readonly server: number;
  readonly steps: readonly Step[];
}

export const CONNECTIONS = 4;
export const SERVERS = 3;

/** UTF-8 bytes of a text, as one character each. */
export function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function isNonEmpty<T>(items: readonly T[]): items is readonly [T, ...T[]] {
  return items.length > 0;
}
