/**
 * WebSocket clients on raw sockets, with frames prepared in advance so that the load costs less than the
 * server that is measured. Every answer is checked: content, order, count.
 */
import { type Socket, connect } from 'node:net';

const MASK = Buffer.from([1, 2, 3, 4]);

/** How a server frames what it echoes. */
export interface Dialect {
  readonly path: string;
  /** What a client sends for one message. */
  wrap(text: string): string;
  /** The messages in what a server sends; undefined for a frame without any. */
  unwrap(payload: string): readonly string[] | undefined;
}

function clientFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 4 : 2);
  head[0] = 0x81;
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  const masked = payload.map((byte, index) => byte ^ (MASK[index % 4] ?? 0));
  return Buffer.concat([head, MASK, masked]);
}

/** Takes whole server frames off the front of `data`. */
function* serverFrames(data: Buffer): Generator<{ payload: string; end: number }, void, undefined> {
  let at = 0;
  while (data.length - at >= 2) {
    const short = (data[at + 1] ?? 0) & 0x7f;
    const head = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (data.length - at < head) return;
    const length =
      short === 127 ? data.readUInt32BE(at + 6) : short === 126 ? data.readUInt16BE(at + 2) : short;
    const end = at + head + length;
    if (end > data.length) return;
    yield { payload: data.toString('utf8', at + head, end), end };
    at = end;
  }
}

class Client {
  readonly #socket: Socket;
  readonly #dialect: Dialect;
  readonly #text: string;
  readonly #burst: Buffer;
  readonly #inFlight: number;
  #left = 0;
  #pending = 0;
  #rest: Buffer = Buffer.alloc(0);
  #done: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  constructor(socket: Socket, dialect: Dialect, text: string, inFlight: number) {
    this.#socket = socket;
    this.#dialect = dialect;
    this.#text = text;
    this.#inFlight = inFlight;
    this.#burst = Buffer.concat(
      Array.from({ length: inFlight }, () => clientFrame(dialect.wrap(text))),
    );
    socket.on('data', (data) => this.#receive(data));
    socket.on('close', () => this.#failed?.(new Error('The server closed a connection.')));
  }

  /** Sends `rounds` bursts, each once the one before has come back whole. */
  async run(rounds: number): Promise<void> {
    this.#left = rounds;
    await new Promise<void>((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#next();
    });
    this.#failed = undefined;
  }

  end(): void {
    this.#socket.destroy();
  }

  #next(): void {
    if (this.#left === 0) {
      this.#done?.();
      return;
    }
    this.#left -= 1;
    this.#pending = this.#inFlight;
    this.#socket.write(this.#burst);
  }

  #receive(data: Buffer): void {
    const all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let taken = 0;
    for (const { payload, end } of serverFrames(all)) {
      taken = end;
      for (const text of this.#dialect.unwrap(payload) ?? []) this.#check(text);
    }
    this.#rest = all.subarray(taken);
    if (this.#pending === 0 && this.#rest.length === 0) this.#next();
  }

  #check(text: string): void {
    if (text !== this.#text || this.#pending === 0)
      this.#failed?.(new Error(`Wrong answer: ${text.slice(0, 80)}`));
    this.#pending -= 1;
  }
}

async function open(
  port: number,
  dialect: Dialect,
  text: string,
  inFlight: number,
): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  socket.write(
    `GET ${dialect.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const head = await new Promise<Buffer>((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('error', reject);
  });
  const end = head.indexOf('\r\n\r\n') + 4;
  if (!head.toString('latin1', 0, end).startsWith('HTTP/1.1 101'))
    throw new Error(head.toString('latin1'));
  const client = new Client(socket, dialect, text, inFlight);
  if (head.length > end) socket.emit('data', head.subarray(end));
  return client;
}

/** @returns how many messages were echoed, and how long it took in milliseconds */
export async function echo(
  port: number,
  dialect: Dialect,
  load: { clients: number; inFlight: number; rounds: number; text: string },
  measured: () => Promise<void>,
): Promise<number> {
  const clients = await Promise.all(
    Array.from({ length: load.clients }, () => open(port, dialect, load.text, load.inFlight)),
  );
  await Promise.all(clients.map((client) => client.run(Math.ceil(load.rounds / 5)))); // Warm.
  await measured();
  const begin = performance.now();
  await Promise.all(clients.map((client) => client.run(load.rounds)));
  const time = performance.now() - begin;
  await measured();
  for (const client of clients) client.end();
  return time;
}
