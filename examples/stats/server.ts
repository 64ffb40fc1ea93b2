/**
 * The counters of some routers, and of its own, once a second to everybody who watches. A message is a
 * JSON array of readings: those of the last minutes first, and then each new one alone.
 */
import { SockJSConnection, SockJSRouter, type SockJSStatsDump } from 'sockjs-server';
import { serve } from '../site/serve.ts';

interface Reading {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** By prefix. */
  readonly routers: Readonly<Record<string, SockJSStatsDump>>;
}

const INTERVAL = 1000;
const KEPT = 120;

/** @param watched the routers besides the one that is returned */
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

// Only as a program: the demo site calls the function. (Node before 24.2: leave the condition out.)
if (import.meta.main) serve([statsOf([])]);
