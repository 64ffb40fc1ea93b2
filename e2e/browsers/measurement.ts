/** Result of a run: for each transport and origin an outcome, and the checks behind it. */
import { isDeepStrictEqual } from 'node:util';
import type { EngineName } from './engines.ts';

/** Transports of sockjs-client, without `xdr`, which only Internet Explorer 8 and 9 have. */
export const TRANSPORTS = [
  'websocket',
  'xhr-streaming',
  'eventsource',
  'iframe-eventsource',
  'htmlfile',
  'iframe-htmlfile',
  'xhr-polling',
  'iframe-xhr-polling',
  'jsonp-polling',
] as const;
export type Transport = (typeof TRANSPORTS)[number];

export const ORIGINS = ['same origin', 'other origin, allowed', 'other origin, refused'] as const;
export type Origin = (typeof ORIGINS)[number];

export interface Check {
  readonly what: string;
  readonly measured: unknown;
  readonly expected: unknown;
}

export type Outcome =
  | 'works'
  /** Only on a page that has set `document.domain`. */
  | 'works with document.domain'
  | 'refused'
  /** The client does not attempt it there. */
  | 'not offered';

export interface Cell {
  readonly transport: Transport;
  readonly origin: Origin;
  readonly outcome: Outcome;
  /** Notes about correct behaviour. */
  readonly remarks: readonly string[];
  readonly checks: readonly Check[];
}

export interface Measurement {
  readonly engine: EngineName;
  readonly version: string;
  readonly cells: readonly Cell[];
  /** Checks of the browser as a whole. */
  readonly checks: readonly Check[];
}

export function isMet({ measured, expected }: Check): boolean {
  return isDeepStrictEqual(measured, expected);
}
