/**
 * What is fed to a server: steps on a few connections, as data, so that an input can be mutated, made smaller
 * and printed. Bytes are strings of one character each. `SESSION0` to `SESSION9` stand for session ids, which
 * are new whenever an input is played.
 */
export type Step =
  /** Bytes in one write. */
  | { readonly do: 'send'; readonly on: number; readonly data: string }
  /** The same, byte by byte. */
  | { readonly do: 'trickle'; readonly on: number; readonly data: string }
  /** Waits a moment for the server to say something. */
  | { readonly do: 'answer'; readonly on: number }
  /** Says that nothing more will be sent, and goes on reading. */
  | { readonly do: 'end'; readonly on: number }
  | { readonly do: 'reset'; readonly on: number }
  /** Takes nothing of what comes. */
  | { readonly do: 'pause'; readonly on: number }
  | { readonly do: 'resume'; readonly on: number }
  /** Longer than the delays of the server with tight limits. */
  | { readonly do: 'rest'; readonly on: number };

export interface Input {
  /** How it came to be. */
  readonly kind: string;
  /** Which of the servers it is for. */
  readonly target: number;
  readonly steps: readonly Step[];
}

export const CONNECTIONS = 4;
export const TARGETS = 3;

/** As UTF-8, a character for each byte. */
export function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function isNonEmpty<T>(items: readonly T[]): items is readonly [T, ...T[]] {
  return items.length > 0;
}
