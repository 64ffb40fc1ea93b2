/** What a message, and a new session, cost while so many sessions are open. */
import { setTimeout } from 'node:timers/promises';
import { type Actor, type Conditions, openMany, repeat } from '../load/measure.ts';
import { open } from '../load/websocket-loads.ts';
import { SocketClient } from './socket-client.ts';

/** Messages of each active client in a second. */
const RATE = 50;
const FIRST = 0.1;

export interface SizeCosts {
  /** Microseconds of the server's CPU time per message, and per session opened and closed. */
  readonly message: number;
  readonly opening: number;
  /** KiB per session. */
  readonly resident: number;
  readonly heap: number;
  /** Messages per second. */
  readonly rate: number;
}

/** Always the same rate, whatever the server could do. */
function paced(client: SocketClient): Actor {
  let due = performance.now() + (Math.random() * 1000) / RATE;
  return async () => {
    await setTimeout(Math.max(0, due - performance.now()));
    due += 1000 / RATE;
    await client.echo();
  };
}

/** `size` sessions, of which the first `active` talk. */
export async function measureSize(
  conditions: Conditions,
  size: number,
  active: number,
): Promise<SizeCosts> {
  const { server, scale } = conditions;
  // The first ones, for which the heap grows, do not count.
  const clients = await openMany(size * FIRST, () => SocketClient.open(server.port));
  const before = await server.ask('memory');
  const others = await openMany(size - clients.length, () => SocketClient.open(server.port));
  const after = await server.ask('memory');
  clients.push(...others);
  const messages = await repeat(conditions, clients.slice(0, active).map(paced), 1);
  const short = {
    ...scale,
    warm: Math.min(scale.warm, 1000),
    measured: Math.min(scale.measured, 2000),
  };
  const opening = await open({ ...conditions, scale: short });
  for (const client of clients) client.destroy();
  return {
    message: messages.cost,
    opening: opening.cost,
    resident: (after.resident - before.resident) / others.length / 1024,
    heap: (after.heap - before.heap) / others.length / 1024,
    rate: messages.rate ?? 0,
  };
}
