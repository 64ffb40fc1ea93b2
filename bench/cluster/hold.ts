/** Many sessions on all nodes, of which a part is replaced all the time. None may be lost. */
import { end } from '../load/http-loads.ts';
import { openMany } from '../load/measure.ts';
import { churn } from '../scale/hold.ts';
import { PollingClient } from '../scale/polling-client.ts';
import { SocketClient } from '../scale/socket-client.ts';
import type { ClusterConditions } from './conditions.ts';

const NODES = 3;

export interface HeldSessions {
  readonly sockets: number;
  readonly polls: number;
  readonly replaced: number;
  readonly seconds: number;
  /** Requests that a node has relayed to another one. */
  readonly relays: number;
}

/** Holds sessions open. A connection that a node ends, or an unexpected frame, fails the benchmark. */
export async function holdSessions(
  { start }: ClusterConditions,
  counts: { readonly sockets: number; readonly polls: number },
  milliseconds: number,
): Promise<HeldSessions> {
  const nodes = await start({ count: NODES });
  let next = 0;
  /** Ports of all nodes, beginning with another one each time. */
  const ports = (): readonly number[] => {
    next += 1;
    return nodes.ports.map((_, index, all) => all[(index + next) % all.length] ?? 0);
  };
  const openSocket = (): Promise<SocketClient> => SocketClient.open(ports()[0] ?? 0);
  const openPoll = (): Promise<PollingClient> => PollingClient.open(...ports());
  const sockets = await openMany(counts.sockets, openSocket);
  const polls = await openMany(counts.polls, openPoll);
  const replaced = await Promise.all([
    churn(sockets, openSocket, milliseconds),
    churn(polls, openPoll, milliseconds),
  ]);
  for (const session of sockets) await session.echo();
  const senders = nodes.ports.map((port) => PollingClient.sender(port));
  for (const sender of senders) for (const session of polls) await session.echo(sender);
  const relays = await nodes.query('relays');
  end([...sockets, ...polls, ...senders]);
  await nodes.end();
  return {
    ...counts,
    replaced: replaced[0] + replaced[1],
    seconds: milliseconds / 1000,
    relays,
  };
}
