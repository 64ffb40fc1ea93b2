/**
 * A proxy of the bad old kind: one request to a connection, and each of its faults can be chosen. It
 * speaks just enough HTTP to have them.
 */
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import type { TestContext } from 'node:test';

export interface Faults {
  /** Rewrites the head of a request, which ends with an empty line. */
  readonly rewrite?: (head: string) => string;
  /** Passes a request on only when its body is complete. */
  readonly buffersRequests?: boolean;
  /** Passes an answer on only when the server has ended it. */
  readonly buffersAnswers?: boolean;
  /** Cuts a connection on which nothing has passed for so long, in milliseconds. */
  readonly idleCut?: number;
}

const HEAD_END = '\r\n\r\n';

function bodyLength(head: string): number {
  return Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
}

function dropConnectionHeaders(head: string): string {
  return head.replaceAll(/^(?:connection|keep-alive|upgrade):.*\r\n/gim, '');
}

/** Asks for everything by HTTP/1.0, and so for an end of the connection after each answer. */
export function speakHttp10(head: string): string {
  return dropConnectionHeaders(head).replace('HTTP/1.1\r\n', 'HTTP/1.0\r\n');
}

/** Keeps what concerns a single hop to itself, as RFC 9110 wants it, but knows no upgrades. */
export const stripUpgrade: (head: string) => string = dropConnectionHeaders;

class Passage {
  readonly #faults: Faults;
  readonly #client: Socket;
  readonly #server: Socket;
  #waiting = Buffer.alloc(0);
  #headPassed = false;

  constructor(client: Socket, server: Socket, faults: Faults) {
    this.#client = client;
    this.#server = server;
    this.#faults = faults;
    client.on('data', (data: Buffer) => this.#fromClient(data));
    if (faults.buffersAnswers === true) client.cork();
    server.on('data', (data: Buffer) => client.write(data));
    const end = (): void => this.#end();
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', end).on('close', end);
      if (faults.idleCut !== undefined) socket.setTimeout(faults.idleCut, end);
    }
    // The answer is complete: what is on its way to the client still gets there.
    server.on('end', () => client.end());
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #fromClient(data: Buffer): void {
    if (this.#headPassed) {
      this.#server.write(data);
      return;
    }
    this.#waiting = Buffer.concat([this.#waiting, data]);
    const end = this.#waiting.indexOf(HEAD_END);
    if (end < 0) return;
    const headLength = end + HEAD_END.length;
    const head = this.#waiting.subarray(0, headLength).toString('latin1');
    const complete = this.#waiting.length >= headLength + bodyLength(head);
    if (this.#faults.buffersRequests === true && !complete) return;
    this.#headPassed = true;
    const passed = this.#faults.rewrite?.(head) ?? head;
    this.#server.write(passed, 'latin1');
    this.#server.write(this.#waiting.subarray(headLength));
  }

  #end(): void {
    this.#server.destroy();
    if (this.#client.writableEnded) this.#client.destroySoon();
    else this.#client.destroy();
  }
}

/** Relays to a port until the test ends. @returns the relay's own port */
export async function relay(t: TestContext, to: number, faults: Faults): Promise<number> {
  const passages = new Set<Passage>();
  const server: Server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    passages.add(new Passage(client, upstream, faults));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const passage of passages) passage.destroy();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  return (server.address() as AddressInfo).port;
}
