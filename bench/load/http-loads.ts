/** Loads for the XHR transports. */
import { SOCKJS_FRAMING } from './dialects.ts';
import { HTTP1 } from './http.ts';
import { Expected, Inbox, ROTATION, plainTexts } from './inbox.ts';
import { type Actor, type Load, memory, openMany, repeat } from './measure.ts';
import type { RequestClient, Wire } from './wire.ts';

export const CLIENTS = 100;
export const RECEIVERS = 1000;
const OPENERS = 20;
const IDLE_STREAMS = 5000;
const TEXTS = plainTexts(32);
const NO_TEXTS = new Expected(SOCKJS_FRAMING, []);

/** Returns an inbox for a connection that gets no messages. */
function noInbox(): Inbox {
  return new Inbox(NO_TEXTS);
}

function path(id: number | string, transport: string): string {
  return `/echo/000/client-${id}/${transport}`;
}

export function end(clients: readonly { destroy(): void }[]): void {
  for (const client of clients) client.destroy();
}

/** Bodies of `xhr_send` with `messages` texts each, for a whole rotation of the texts. */
function bodies(texts: readonly string[], messages: number): string[] {
  const count = ROTATION / greatestCommonDivisor(ROTATION, messages);
  return Array.from({ length: count }, (_, body) =>
    JSON.stringify(
      Array.from({ length: messages }, (__, index) => texts[(body * messages + index) % ROTATION]),
    ),
  );
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Ports at which the requests of a session arrive: the first one, and the others in turn. */
export interface Arrival {
  readonly opening: number;
  readonly others: readonly number[];
}

/** A session that sends `messages` messages in one request, and then polls for them. */
export class PollingSession {
  readonly #messages: number;
  readonly #inbox: Inbox;
  readonly #poll: Buffer;
  readonly #sends: readonly Buffer[];
  readonly #opening: RequestClient;
  readonly #others: readonly RequestClient[];
  #lap = 0;

  constructor(
    id: number | string,
    texts: readonly string[],
    messages: number,
    arrival: Arrival,
    wire: Wire,
  ) {
    this.#messages = messages;
    this.#inbox = new Inbox(new Expected(SOCKJS_FRAMING, texts));
    this.#poll = wire.post(path(id, 'xhr'));
    this.#sends = bodies(texts, messages).map((body) => wire.post(path(id, 'xhr_send'), body));
    this.#opening = wire.client(arrival.opening, this.#inbox);
    this.#others = arrival.others.map((port) =>
      port === arrival.opening ? this.#opening : wire.client(port, this.#inbox),
    );
  }

  async open(): Promise<void> {
    await this.#opening.open(this.#poll, true);
  }

  async roundTrip(): Promise<void> {
    const lap = this.#lap;
    this.#lap += 1;
    await this.#connection(lap).request(this.#sends[lap % this.#sends.length] ?? this.#poll, 204);
    const received = this.#inbox.messages(this.#messages);
    await Promise.all([received, this.poll(lap + 1)]);
  }

  /** Settles with the next response. @param turn selects the connection */
  async poll(turn: number): Promise<void> {
    await this.#connection(turn).request(this.#poll, 200);
  }

  destroy(): void {
    end([this.#opening, ...this.#others]);
  }

  #connection(turn: number): RequestClient {
    return this.#others[turn % this.#others.length] ?? this.#opening;
  }
}

/** Opens sessions with different texts. @param name distinguishes them from those of other calls */
export function openPolling(
  name: string,
  count: number,
  arrivalOf: (index: number) => Arrival,
  messages = 1,
  wire = HTTP1,
): Promise<PollingSession[]> {
  return openMany(count, async (index) => {
    const texts = TEXTS(index);
    const session = new PollingSession(`${name}${index}`, texts, messages, arrivalOf(index), wire);
    await session.open();
    return session;
  });
}

/** Each client sends `messages` messages in one request, and then polls for them. */
export function roundTrip(messages: number): Load {
  return async (conditions) => {
    const { server, wire } = conditions;
    const arrival = { opening: server.port, others: [server.port] };
    const sessions = await openPolling('', CLIENTS, () => arrival, messages, wire);
    const actors = sessions.map((session) => (): Promise<void> => session.roundTrip());
    const measurement = await repeat(conditions, actors, 1);
    end(sessions);
    return measurement;
  };
}

/** Each client sends on one socket, and receives the message on a stream over another socket. */
export const streamEcho: Load = async (conditions) => {
  const { server, wire } = conditions;
  const clients: RequestClient[] = [];
  const actors = await openMany(CLIENTS, async (id): Promise<Actor> => {
    const texts = TEXTS(id);
    const stream = wire.client(server.port, new Inbox(new Expected(SOCKJS_FRAMING, texts)));
    const sender = wire.client(server.port, noInbox());
    clients.push(stream, sender);
    const sends = bodies(texts, 1).map((body) => wire.post(path(id, 'xhr_send'), body));
    await stream.open(wire.post(path(id, 'xhr_streaming')), false);
    return async (lap) => {
      const sent = sender.request(sends[lap % sends.length] ?? Buffer.alloc(0), 204);
      await Promise.all([stream.inbox.messages(1), sent]);
    };
  });
  const measurement = await repeat(conditions, actors, 1);
  end(clients);
  return measurement;
};

/** The server broadcasts one text after another, when all clients have received the last one and polled again. */
export function broadcast(transport: 'xhr' | 'xhr_streaming'): Load {
  return async (conditions) => {
    const { server, wire } = conditions;
    const texts = plainTexts(100)(0);
    const expected = new Expected(SOCKJS_FRAMING, texts);
    const polls = transport === 'xhr';
    const receivers = await openMany(RECEIVERS, async (id) => {
      const client = wire.client(server.port, new Inbox(expected));
      const request = wire.post(path(id, transport));
      await client.open(request, polls);
      return { client, request };
    });
    const send: Actor = async (lap) => {
      const all = receivers.map(async ({ client, request }) => {
        const message = client.inbox.messages(1);
        if (polls) await client.request(request, 200);
        await message;
      });
      server.broadcast(texts[lap % ROTATION] ?? '', RECEIVERS);
      await Promise.all(all);
    };
    const measurement = await repeat(conditions, [send], RECEIVERS);
    end(receivers.map(({ client }) => client));
    return measurement;
  };
}

/** Opens a session with each request, on persistent sockets. */
export const openSession: Load = async (conditions) => {
  const { server, wire } = conditions;
  const clients = Array.from({ length: OPENERS }, () => wire.client(server.port, noInbox()));
  const actors = clients.map(
    (client, index): Actor =>
      (lap) =>
        client.open(wire.post(path(`${index}-${lap}`, 'xhr')), true),
  );
  const measurement = await repeat(conditions, actors, 1);
  end(clients);
  return measurement;
};

export const idleMemory: Load = async (conditions) => {
  const { server, scale, wire } = conditions;
  const { measurement, clients } = await memory(
    conditions,
    IDLE_STREAMS * scale.idleShare,
    async (id) => {
      const client = wire.client(server.port, noInbox());
      await client.open(wire.post(path(id, 'xhr_streaming')), false);
      return client;
    },
  );
  end(clients);
  return measurement;
};
