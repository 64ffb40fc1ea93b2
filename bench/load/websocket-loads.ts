/** Loads for WebSocket servers. */
import type { Dialect } from './dialects.ts';
import { Expected, ROTATION, type Texts, plainTexts } from './inbox.ts';
import {
  type Actor,
  type Conditions,
  type Load,
  idle,
  memory,
  openMany,
  repeat,
} from './measure.ts';
import { WebSocketClient, textFrame } from './websocket.ts';

export const CLIENTS = 100;
export const RECEIVERS = 1000;
const OPENERS = 20;
const IDLE_SESSIONS = 10_000;

function end(clients: readonly WebSocketClient[]): void {
  for (const client of clients) client.destroy();
}

function connect(conditions: Conditions, expected: Expected): Promise<WebSocketClient> {
  const { server, dialect, wire } = conditions;
  return WebSocketClient.open(server.port, dialect, expected, wire);
}

function burstsOf(dialect: Dialect, texts: readonly string[], inFlight: number): Buffer[] {
  const frames = texts.map((text) => textFrame(dialect.encode(text)));
  return Array.from({ length: ROTATION / inFlight }, (_, index) =>
    Buffer.concat(frames.slice(index * inFlight, (index + 1) * inFlight)),
  );
}

/** Each client sends `inFlight` messages at once, and waits until all have returned. */
export function echo(textsOf: Texts, inFlight: number): Load {
  return async (conditions) => {
    const { dialect } = conditions;
    const clients: WebSocketClient[] = [];
    const actors = await openMany(CLIENTS, async (index): Promise<Actor> => {
      const texts = textsOf(index);
      const bursts = burstsOf(dialect, texts, inFlight);
      const client = await connect(conditions, new Expected(dialect, texts));
      clients.push(client);
      return async (lap) => {
        client.send(bursts[lap % bursts.length] ?? Buffer.alloc(0));
        await client.inbox.messages(inFlight);
      };
    });
    const measurement = await repeat(conditions, actors, inFlight);
    end(clients);
    return measurement;
  };
}

/** The server broadcasts one text after another, when all clients have received the last one. */
export const broadcast: Load = async (conditions) => {
  const { server, dialect } = conditions;
  const texts = plainTexts(100)(0);
  const expected = new Expected(dialect, texts);
  const clients = await openMany(RECEIVERS, () => connect(conditions, expected));
  const send: Actor = async (lap) => {
    const all = clients.map((client) => client.inbox.messages(1));
    server.broadcast(texts[lap % ROTATION] ?? '', RECEIVERS);
    await Promise.all(all);
  };
  const measurement = await repeat(conditions, [send], RECEIVERS);
  end(clients);
  return measurement;
};

/** Opens a session, receives its first frame, and closes it. */
export const open: Load = (conditions) => {
  const expected = new Expected(conditions.dialect, []);
  const opener: Actor = async () => {
    const client = await connect(conditions, expected);
    await client.close();
  };
  return repeat(conditions, Array<Actor>(OPENERS).fill(opener), 1);
};

export const idleMemory: Load = async (conditions) => {
  const { dialect, scale } = conditions;
  const expected = new Expected(dialect, []);
  const { measurement, clients } = await memory(conditions, IDLE_SESSIONS * scale.idleShare, () =>
    connect(conditions, expected),
  );
  end(clients);
  return measurement;
};

/** Runs for one heartbeat interval, so that each session receives one heartbeat. */
export const idleTime: Load = async (conditions) => {
  const { dialect, scale } = conditions;
  const expected = new Expected(dialect, []);
  const clients = await openMany(IDLE_SESSIONS * scale.idleShare, () =>
    connect(conditions, expected),
  );
  const heartbeats = clients.map((client) => client.heartbeat());
  const measurement = await idle(conditions, scale.idleHeartbeat, heartbeats);
  end(clients);
  return measurement;
};
