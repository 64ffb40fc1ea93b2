/** Cost of a message, and of a new session, by the number of open sessions. */
import { setTimeout } from 'node:timers/promises';
import { type Actor, type Conditions, openMany, repeat } from '../load/measure.ts';
import { open } from '../load/websocket-loads.ts';
import { SocketClient } from './socket-client.ts';

/** Messages per second of each active client. */
const RATE = 50;
/** Share of the sessions that open before the memory is measured, while the heap grows. */
const WARM_UP_SHARE = 0.1;

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

/** Sends at a constant rate, however fast the server is. */
function paced(client: SocketClient): Actor {
  let due = performance.now() + (Math.random() * 1000) / RATE;
  return async () => {
    await setTimeout(Math.max(0, due - performance.now()));
    due += 1000 / RATE;
    await client.echo();
  };
}

/** Measures with `size` open sessions, of which `active` send messages. */
export async function measureSize(
  conditions: Conditions,
  size: number,
  active: number,
): Promise<SizeCosts> {
  const { server, scale } = conditions;
  const clients = await openMany(size * WARM_UP_SHARE, () => SocketClient.open(server.port));
  const before = await server.query('memory');
  const others = await openMany(size - clients.length, () => SocketClient.open(server.port));
  const after = await server.query('memory');
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
