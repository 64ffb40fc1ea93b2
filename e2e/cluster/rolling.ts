/** A rolling deploy: one node after the other closes and starts again while clients send. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../../testkit/raw-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { HTTP_TRANSPORTS, LoadClient } from './load-client.ts';
import { IS_SHORT, record } from './report.ts';
import { type ClusterSite, startSite, waitingPoll } from './site.ts';

const ROUNDS = IS_SHORT ? 1 : 3;
const CLIENTS_PER_TRANSPORT = 4;
const POLLERS = 6;
/** Time between the start of a node and the end of the next one, in milliseconds. */
const PAUSE_MS = 500;

/** Closes that end a session of a closing node. */
const GOING_AWAY = 'c[1001,"Server is going away"]';

/** A client that polls and sends at the same time, and knows which messages were acknowledged. */
class Poller {
  readonly acknowledged: string[] = [];
  readonly closings: string[] = [];
  /** Anything that must not happen. */
  readonly violations: string[] = [];
  readonly #port: number;
  readonly #name: string;
  #isStopped = false;
  #sent = 0;
  readonly #done: Promise<void>;

  constructor(port: number, name: string) {
    this.#port = port;
    this.#name = name;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const session = newSession();
      const opened = await this.#poll(session);
      if (opened !== 'o') this.violations.push(`opened with ${opened}`);
      else await this.#use(session);
    }
  }

  /** Polls until the close frame. */
  async #receive(session: string, state: { isOpen: boolean }): Promise<void> {
    while (state.isOpen) {
      const frame = await this.#poll(session);
      if (frame === 'o') this.violations.push('opened again');
      if (!frame.startsWith('c[')) continue;
      state.isOpen = false;
      this.closings.push(frame);
    }
  }

  async #send(session: string, text: string): Promise<number> {
    const request = { method: 'POST', path: `${session}/xhr_send`, body: JSON.stringify([text]) };
    return (await httpRequest(this.#port, request)).status;
  }

  async #use(session: string): Promise<void> {
    const state = { isOpen: true };
    const closed = this.#receive(session, state);
    while (state.isOpen && !this.#isStopped) {
      this.#sent += 1;
      const text = `${this.#name} ${this.#sent}`;
      const status = await this.#send(session, text);
      if (status === 204) this.acknowledged.push(text);
      else if (state.isOpen) await this.#onRefusal(status, closed);
      await sleep(5);
    }
    if (state.isOpen) await this.#send(session, 'close');
    return closed;
  }

  async #onRefusal(status: number, closed: Promise<void>): Promise<void> {
    const start = performance.now();
    await closed;
    const waited = Math.round(performance.now() - start);
    this.violations.push(`send ${status}, ${waited} ms before ${this.closings.at(-1)}`);
  }

  #poll(session: string): Promise<string> {
    return waitingPoll(this.#port, session);
  }
}

/** Real clients that connect again after each close frame. */
class Fleet {
  readonly closings: string[] = [];
  readonly violations: string[] = [];
  readonly #site: ClusterSite;
  readonly #clients = new Set<LoadClient>();
  #isStopped = false;

  constructor(t: TestContext, site: ClusterSite) {
    this.#site = site;
    t.after(() => this.stop());
  }

  open(): void {
    for (const transport of HTTP_TRANSPORTS)
      for (let index = 0; index < CLIENTS_PER_TRANSPORT; index += 1) void this.#keepOpen(transport);
  }

  get isOpen(): boolean {
    return [...this.#clients].every(({ isOpen, received }) => isOpen && received > 0);
  }

  stop(): void {
    this.#isStopped = true;
    for (const client of this.#clients) client.close();
  }

  async #keepOpen(transport: LoadClient['transport']): Promise<void> {
    while (!this.#isStopped) {
      const client = new LoadClient(this.#site.url, transport);
      this.#clients.add(client);
      await until(() => client.closing !== undefined || this.#isStopped, 'the close event', {
        timeout: Infinity,
      });
      this.#clients.delete(client);
      this.violations.push(...client.violations);
      if (this.#isStopped) return;
      const { code = 0, reason = '' } = client.closing ?? {};
      this.closings.push(`${code} ${reason}`);
      if (code !== 1001) this.violations.push(`${transport} of ${client.owner}: ${code} ${reason}`);
      if (client.owner === undefined) await sleep(100);
    }
  }
}

export function testRollingDeploy(): void {
  test('a rolling deploy loses no acknowledged message, and closes every client with 1001', async (t) => {
    const site = await startSite(t);
    const fleet = new Fleet(t, site);
    fleet.open();
    const pollers = Array.from(
      { length: POLLERS },
      (_, index) => new Poller(site.proxy.port, `poller ${index}`),
    );
    await until(() => fleet.isOpen, 'all clients');
    let longest = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const node of site.nodes) {
        const start = performance.now();
        await node.ask({ type: 'close' }, 'closed');
        longest = Math.max(longest, performance.now() - start);
        await node.restart();
        await site.allMembers();
        await until(() => fleet.isOpen, 'all clients');
        await sleep(PAUSE_MS);
      }
    }
    await Promise.all(pollers.map((poller) => poller.stop()));
    fleet.stop();
    const received = new Set(site.nodes.flatMap(({ texts }) => Array.from(texts)));
    const acknowledged = pollers.flatMap((poller) => poller.acknowledged);
    const lost = acknowledged.filter((text) => !received.has(text));
    const violations = [...pollers, fleet].flatMap((client) => client.violations);
    assert.deepEqual(violations, []);
    assert.deepEqual(lost, []);
    assert.ok(acknowledged.length > 100);
    const closings = pollers.flatMap((poller) => poller.closings);
    assert.ok(closings.includes(GOING_AWAY));
    record(
      `rolling deploy under load, each node ${ROUNDS} times`,
      'no acknowledged message is lost, every client of a closing node gets 1001, all others continue',
      `${acknowledged.length} acknowledged messages, ${lost.length} lost; ${fleet.closings.length} closings of sockjs-client, all with 1001; a node closed in at most ${Math.round(longest)} ms`,
    );
  });
}
