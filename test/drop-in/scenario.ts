/** A row of the behaviour table: a program that runs on both packages, and its observations. */
import type { Transport } from '../../testkit/transports.ts';
import { RAW_WEBSOCKET, WEBSOCKET, XHR, XHR_STREAMING } from '../../testkit/transports.ts';
import type { Stage } from './stage.ts';

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Observations of the program and its client, by name. */
export type Observations = Readonly<Record<string, Json>>;

/** Observations that differ on purpose. */
export interface Difference {
  /** First cell of a row in the table "Differences" of docs/drop-in.md. */
  readonly row: string;
  /** Transports on which they differ. Default: all of the scenario. */
  readonly on?: readonly Transport[];
  readonly original: Observations;
  readonly dropIn: Observations;
}

export interface Scenario {
  readonly title: string;
  /** Runs once for each. Default: once, over a framed WebSocket. */
  readonly transports?: readonly Transport[];
  readonly differences?: readonly Difference[];
  run(stage: Stage): Promise<Observations>;
}

export const HTTP: readonly Transport[] = [XHR_STREAMING, XHR];
export const WEBSOCKETS: readonly Transport[] = [WEBSOCKET, RAW_WEBSOCKET];
export const ALL: readonly Transport[] = [...WEBSOCKETS, ...HTTP];
/** Transports with SockJS frames. */
export const FRAMED: readonly Transport[] = [WEBSOCKET, ...HTTP];
