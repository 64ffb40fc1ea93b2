/** Two well-behaved clients of a server. They have to receive their messages in order whatever others send. */
import assert from 'node:assert/strict';
import { SockJSClient } from '../../testkit/sockjs-client.ts';
import { WEBSOCKET, XHR } from '../../testkit/transports.ts';
import { BROADCAST, CLOSE_STATUS } from './servers.ts';

export class HealthyClients {
  readonly #clients: readonly SockJSClient[];
  #count = 0;

  private constructor(clients: readonly SockJSClient[]) {
    this.#clients = clients;
  }

  static async open(port: number): Promise<HealthyClients> {
    const clients = [XHR, WEBSOCKET].map(
      (transport) => new SockJSClient(transport, { server: port }),
    );
    await Promise.all(clients.map((client) => client.opened()));
    return new HealthyClients(clients);
  }

  get size(): number {
    return this.#clients.length;
  }

  /** Sends a message with each client and waits for its echo. @throws an error if something else arrives */
  async check(): Promise<void> {
    this.#count += 1;
    const text = `healthy ${this.#count}`;
    await Promise.all(this.#clients.map((client) => assertEchoes(client, text)));
  }

  /** Closes the sessions: one by its server, one by its client. */
  async end(): Promise<void> {
    await Promise.all(
      this.#clients.map(async (client) => {
        if (client.transport.isWebSocket) return client.abort();
        await client.send('close');
        const { code, reason } = await client.closed();
        assert.deepEqual({ code, reason }, CLOSE_STATUS);
        const rest = client.messages.drain().filter((message) => message !== BROADCAST);
        return assert.deepEqual(rest, []);
      }),
    );
  }
}

async function assertEchoes(client: SockJSClient, text: string): Promise<void> {
  await client.send(text);
  let message = await client.next();
  // Other clients may have sent this one to everybody.
  while (message === BROADCAST) message = await client.next();
  assert.equal(message, text);
}
