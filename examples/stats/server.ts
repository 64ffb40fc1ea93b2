/**
 * Sends the counters of some routers, and of this one, to its clients once a second. A message is a JSON array of
 * readings. The first one has the readings of the last minutes.
 */
import { SockJSConnection, SockJSRouter, type SockJSStatsDump } from 'sockjs-server';
import { serve } from '../site/serve.ts';

interface Reading {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** By prefix. */
  readonly routers: Readonly<Record<string, SockJSStatsDump>>;
}

const INTERVAL = 1000;
const KEPT = 120;

/** @param watched routers to observe in addition to the returned one */
export function statsOf(watched: readonly SockJSRouter[]): SockJSRouter {
  const readings: Reading[] = [];

  class StatsConnection extends SockJSConnection {
    override onOpen(): void {
      this.send(JSON.stringify(readings));
    }
  }

  const router = new SockJSRouter(StatsConnection, '/stats');

  function read(): void {
    const dumps = [...watched, router].map(({ prefix, stats }) => [prefix, stats.dump()] as const);
    const reading = { time: Date.now(), routers: Object.fromEntries(dumps) };
    readings.push(reading);
    if (readings.length > KEPT) readings.shift();
    router.broadcast(router.connections, JSON.stringify([reading]));
  }

  read();
  setInterval(read, INTERVAL).unref();
  return router;
}

// The demo site calls the function without this. (In Node before 24.2 remove the condition.)
if (import.meta.main) serve([statsOf([])]);
