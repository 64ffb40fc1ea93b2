/** Nodes that are killed or stopped. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { type LoadClient, longestGap, openClients, settle } from './load-client.ts';
import { IS_SHORT, record } from './report.ts';
import { type ClusterSite, type NodeProcess, startSite, waitingPoll } from './site.ts';

const NODE_IS_GONE = 'c[1001,"Node is gone"]';
const KILLS = IS_SHORT ? 2 : 20;
const STOP_MS = 15_000;
/** Line of the log for a message to a session that is closed. */
const LATE_MESSAGE = /\/xhr_send \w+ 404 --$/;

/** Numbers of clients, summed up over several events. */
interface Outcomes {
  continued: number;
  /** Clients of the ended node that got 1001. */
  gone: number;
  /** Clients of the ended node that broke off, since they sent a message, or had a request at the node. */
  broken: number;
  /** Clients of other nodes that broke off, since they had a request at the ended node. */
  interrupted: number;
}

/**
 * Checks each client after the end of a node. A client of another node may break off, because one of its requests was
 * at the ended node. Its session is then closed, and the next message gets 404. No other node may have refused any
 * other request.
 */
function judge(site: ClusterSite, ended: NodeProcess, clients: readonly LoadClient[]): Outcomes {
  const outcomes = { continued: 0, gone: 0, broken: 0, interrupted: 0 };
  for (const { owner, closing, session, transport, violations } of clients) {
    assert.deepEqual(violations, []);
    const label = `${transport} of ${owner} after the end of ${ended.name}: ${JSON.stringify(closing)}`;
    if (closing === undefined && !site.hasBrokenStream(session, ended)) {
      assert.notEqual(owner, ended.name, label);
      outcomes.continued += 1;
    } else if (owner === ended.name) {
      if (closing?.code === 1001) {
        assert.equal(closing.reason, 'Node is gone', label);
        outcomes.gone += 1;
      } else {
        assert.equal(closing?.code ?? 1006, 1006, label);
        outcomes.broken += 1;
      }
    } else {
      assert.equal(closing?.code ?? 1006, 1006, label);
      const failures = site.failuresOf(session, ended);
      assert.deepEqual(
        failures.filter((line) => !LATE_MESSAGE.test(line)),
        [],
        label,
      );
      outcomes.interrupted += 1;
    }
  }
  return outcomes;
}

/** Sessions of a node that is about to end, used by requests that reach other nodes. */
class Witnesses {
  readonly #owner: NodeProcess;
  readonly #edge: NodeProcess;
  readonly #other: NodeProcess;
  readonly #idle = newSession();
  readonly #waiting = newSession();
  readonly #survivor = newSession();
  #pendingPoll: Promise<string> = Promise.resolve('');

  constructor(site: ClusterSite, owner: NodeProcess) {
    const [edge, other] = site.others(owner);
    assert.ok(edge !== undefined && other !== undefined);
    this.#owner = owner;
    this.#edge = edge;
    this.#other = other;
  }

  async open(): Promise<void> {
    for (const session of [this.#idle, this.#waiting]) {
      assert.equal(await poll(this.#owner.port, session), 'o');
      assert.match(await poll(this.#edge.port, session), /^a\["node /);
    }
    assert.equal(await poll(this.#edge.port, this.#survivor), 'o');
    assert.match(await poll(this.#other.port, this.#survivor), /^a\["node /);
    this.#pendingPoll = poll(this.#edge.port, this.#waiting);
    await this.checkSurvivor('before');
  }

  /** Checks a session of another node. */
  async checkSurvivor(text: string): Promise<void> {
    await sendMessages(this.#other.port, this.#survivor, text);
    assert.equal(await poll(this.#other.port, this.#survivor), `a["${text}"]`);
    await sendMessages(this.#edge.port, this.#survivor, text);
    assert.equal(await poll(this.#other.port, this.#survivor), `a["${text}"]`);
  }

  /** Checks that the sessions of the ended node are closed. Returns the time of a pending poll, in milliseconds. */
  async checkEnded(endedAt: number): Promise<number> {
    assert.equal(await this.#pendingPoll, NODE_IS_GONE);
    const ms = performance.now() - endedAt;
    await this.checkClosed();
    return ms;
  }

  /** Checks that no node opens the sessions again. */
  async checkClosed(): Promise<void> {
    for (const { port } of [this.#edge, this.#other]) {
      for (const session of [this.#idle, this.#waiting]) {
        assert.equal(await poll(port, session), NODE_IS_GONE);
        assert.equal((await postBody(port, session, '["late"]')).status, 404);
      }
    }
  }
}

function addTo(sum: Outcomes, { continued, gone, broken, interrupted }: Outcomes): void {
  sum.continued += continued;
  sum.gone += gone;
  sum.broken += broken;
  sum.interrupted += interrupted;
}

/** Opens clients of which every second one sends nothing, and only receives. */
async function openMixedClients(t: TestContext, site: ClusterSite): Promise<LoadClient[]> {
  const clients = await openClients(t, site.url, 4);
  for (const [index, client] of clients.entries()) if (index % 2 === 0) client.pause();
  return clients;
}

interface Kill {
  readonly outcomes: Outcomes;
  readonly witnesses: Witnesses;
  /** Time until a pending poll of the killed node was closed, in milliseconds. */
  readonly ms: number;
}

/** Kills a node under load, and starts it again. */
async function killOnce(t: TestContext, site: ClusterSite, victim: NodeProcess): Promise<Kill> {
  const clients = await openMixedClients(t, site);
  const witnesses = new Witnesses(site, victim);
  await witnesses.open();
  const killedAt = performance.now();
  victim.kill('SIGKILL');
  const ms = await witnesses.checkEnded(killedAt);
  await witnesses.checkSurvivor('after');
  const isLive = ({ session, closing }: LoadClient): boolean =>
    closing === undefined && !site.hasBrokenStream(session, victim);
  await until(
    () => clients.every((client) => client.owner !== victim.name || !isLive(client)),
    'the close event of all clients of the killed node',
    { state: () => clients.map(({ owner, closing, transport }) => [owner, transport, closing]) },
  );
  await settle(clients.filter(isLive));
  const outcomes = judge(site, victim, clients);
  for (const client of clients) client.close();
  await victim.restart();
  // The new process has the addresses of the old one, and none of its sessions.
  await witnesses.checkClosed();
  return { outcomes, witnesses, ms };
}

async function testKills(t: TestContext, engine: 'nats' | 'redis', kills: number): Promise<void> {
  const site = await startSite(t, { engine });
  const sum: Outcomes = { continued: 0, gone: 0, broken: 0, interrupted: 0 };
  let slowest = 0;
  let last: Witnesses | undefined;
  for (let kill = 0; kill < kills; kill += 1) {
    const victim = site.nodes[kill % site.nodes.length];
    assert.ok(victim !== undefined);
    const { outcomes, witnesses, ms } = await killOnce(t, site, victim);
    addTo(sum, outcomes);
    slowest = Math.max(slowest, ms);
    last = witnesses;
  }
  if (!IS_SHORT) {
    // The record of the last killed process has expired.
    await site.allMembers();
    await last?.checkClosed();
  }
  record(
    `kill -9 of a node, ${kills} times, ${engine}`,
    'polls of its sessions get `c[1001,"Node is gone"]` at once, sends 404, no session opens again; sessions of other nodes continue, except those with a request at the killed node',
    `a pending poll was closed after at most ${Math.ceil(slowest)} ms; clients of the killed nodes: ${sum.gone} got 1001, ${sum.broken} broke off; of other nodes: ${sum.continued} continued, ${sum.interrupted} had a request at the killed node`,
  );
}

export function testCrashes(): void {
  test('redis: sessions of a killed node close, and those of other nodes continue', (t) =>
    testKills(t, 'redis', KILLS));

  test('nats: sessions of a killed node close, and those of other nodes continue', (t) =>
    testKills(t, 'nats', IS_SHORT ? 1 : 3));

  /** Sessions of a stopped node, used by requests that reach other nodes. */
  test('a node that is stopped for 15 s counts as ended, and takes part again', async (t) => {
    const site = await startSite(t, { disconnectDelay: 20_000 });
    const [stopped, edge, other] = site.nodes;
    const clients = await openMixedClients(t, site);
    const waiting = newSession();
    assert.equal(await poll(stopped.port, waiting), 'o');
    assert.match(await poll(edge.port, waiting), /^a\["node /);
    const untouched = newSession();
    assert.equal(await poll(stopped.port, untouched), 'o');
    assert.match(await poll(stopped.port, untouched), /^a\["node /);
    const survivor = newSession();
    assert.equal(await poll(edge.port, survivor), 'o');
    assert.match(await poll(other.port, survivor), /^a\["node /);

    const pendingPoll = waitingPoll(edge.port, waiting);
    const stoppedAt = performance.now();
    stopped.kill('SIGSTOP');
    const stopTime = sleep(STOP_MS);
    await sendMessages(other.port, survivor, 'during');
    assert.equal(await poll(other.port, survivor), 'a["during"]');
    assert.equal(await pendingPoll, NODE_IS_GONE);
    const ms = Math.round(performance.now() - stoppedAt);
    assert.equal((await postBody(other.port, waiting, '["late"]')).status, 404);
    await stopTime;
    stopped.kill('SIGCONT');
    await site.allMembers();
    // No other node has closed this session for its client.
    await sendMessages(other.port, untouched, 'hello');
    assert.equal(await poll(edge.port, untouched), 'a["hello"]');
    assert.equal(stopped.texts.has('late'), false);
    await settle(clients);
    const continued = clients.filter(({ isOpen }) => isOpen);
    for (const { violations } of clients) assert.deepEqual(violations, []);
    for (const client of continued) client.close();
    record(
      'SIGSTOP of a node for 15 s',
      'its record expires after 10 s, then polls of its sessions get `c[1001]` and sends 404; afterwards it is a member again',
      `a pending poll was closed after ${ms} ms; ${continued.length} of ${clients.length} clients continued, longest gap ${longestGap(continued)} ms`,
    );
  });
}
