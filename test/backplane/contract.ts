/** Tests that every engine passes. An engine's test file calls `testContract`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackplaneListener, NodeId } from '../../src/backplane/backplane.ts';
import { EngineBackplane } from '../../src/backplane/engine-backplane.ts';
import { type Engine, NO_ENGINE_LISTENER } from '../../src/backplane/engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { until, within } from '../../testkit/until.ts';
import { SockJSError } from '../../src/base/errors.ts';

/** An engine under test, with the faults that its tests cause. */
export interface EngineUnderTest {
  /** Creates one node's access to the engine. */
  createEngine(): Promise<Engine>;
  /** Lets the engine respond to nothing for a time, in milliseconds. */
  freeze(ms: number): Promise<void>;
  /** Makes the engine unreachable. */
  stop(): Promise<void>;
  /** Makes the engine reachable again, without any record. */
  startEmpty(): Promise<void>;
  /** Makes the engine reachable again, with all records. */
  start(): Promise<void>;
  /** Lets the open subscriptions deliver nothing, although they stay open. */
  deafen(): Promise<void>;
  /** Number of records of a namespace. */
  countRecords(namespace: string): Promise<number>;
  close(): Promise<void>;
}

/** One member, with everything that it has received. */
class TestNode implements BackplaneListener {
  readonly backplane: EngineBackplane;
  readonly logger = new RecordingLogger();
  readonly messages: { readonly topic: string; readonly from: NodeId; readonly data: string }[] =
    [];
  readonly missed: (NodeId | undefined)[] = [];
  readonly lostClaims: string[] = [];
  members: ReadonlyMap<NodeId, string> = new Map();
  ups = 0;
  downs = 0;
  /** True once a recovery was reported without an outage before it, or an outage during another one. */
  isDisordered = false;
  id: NodeId = '';

  constructor(engine: Engine, heartbeatInterval: number) {
    this.backplane = new EngineBackplane(engine, { heartbeatInterval });
  }

  onMessage(topic: string, from: NodeId, data: string): void {
    this.messages.push({ topic, from, data });
  }

  onMissed(_topic: string | undefined, from: NodeId | undefined): void {
    this.missed.push(from);
  }

  onMembers(cards: ReadonlyMap<NodeId, string>): void {
    this.members = cards;
  }

  onClaimLost(key: string): void {
    this.lostClaims.push(key);
  }

  onUp(): void {
    this.isDisordered ||= this.ups !== this.downs - 1;
    this.ups += 1;
  }

  onDown(): void {
    this.isDisordered ||= this.ups !== this.downs;
    this.downs += 1;
  }

  data(topic: string, from?: NodeId): readonly string[] {
    return this.messages
      .filter((message) => message.topic === topic && (from ?? message.from) === message.from)
      .map(({ data }) => data);
  }
}

/** A busy machine may need several attempts to connect, so an outage may be followed by a short one. */
const RECOVERY = { timeout: 20_000 };

/** Shorter than the default, so that recovery is fast enough for a test. */
const HEARTBEAT_INTERVAL_MS = 300;
/** For many messages: a heartbeat that waits behind them for too long counts as an outage. */
const LONG_INTERVAL_MS = 60_000;

const MEBIBYTE = 1024 * 1024;

let namespaces = 0;

function pair([one, two]: readonly TestNode[]): [TestNode, TestNode] {
  assert.ok(one !== undefined && two !== undefined);
  return [one, two];
}

/** Defines the tests of an engine. `startEngine` is called once, before the first test. */
export function testContract(name: string, startEngine: () => Promise<EngineUnderTest>): void {
  const started = startEngine();
  started.catch(() => {}); // Each test reports it.

  const define = (
    title: string,
    size: number,
    run: (nodes: readonly TestNode[], engine: EngineUnderTest, namespace: string) => Promise<void>,
    heartbeatInterval = HEARTBEAT_INTERVAL_MS,
  ): void => {
    test(`${name}: ${title}`, async () => {
      const engine = await started;
      namespaces += 1;
      const namespace = `contract${process.pid}n${namespaces}`;
      const nodes = await Promise.all(
        Array.from(
          { length: size },
          async () => new TestNode(await engine.createEngine(), heartbeatInterval),
        ),
      );
      try {
        for (const [index, node] of nodes.entries())
          node.id = await node.backplane.join({
            namespace,
            card: `card ${index}`,
            listener: node,
            logger: node.logger,
          });
        await run(nodes, engine, namespace);
        assert.ok(
          !nodes.some(({ isDisordered }) => isDisordered),
          'outages and recoveries alternate',
        );
      } finally {
        await Promise.all(nodes.map((node) => node.backplane.leave()));
      }
      assert.equal(await engine.countRecords(namespace), 0, 'records that are left');
    });
  };
  test.after(async () => (await started).close());

  define('one of 100 concurrent claims wins', 4, async (nodes) => {
    const attempts = Array.from({ length: 25 }, () => nodes).flat();
    const claims = await Promise.all(attempts.map((node) => node.backplane.claim('key')));
    const owners = new Set(claims.map(({ owner }) => owner));
    assert.equal(owners.size, 1);
    assert.ok(nodes.some(({ id }) => owners.has(id)));
    for (const node of nodes)
      assert.deepEqual(await node.backplane.owner('key'), { ...claims[0], closing: undefined });
  });

  define('a released key can be claimed by another node', 2, async (nodes) => {
    const [one, two] = pair(nodes);
    await one.backplane.claim('key');
    one.backplane.release('key');
    await until(async () => (await two.backplane.owner('key')) === undefined, 'the release');
    assert.equal((await two.backplane.claim('key')).owner, two.id);
  });

  define('the release of a key of another node does nothing', 2, async (nodes) => {
    const [one, two] = pair(nodes);
    await one.backplane.claim('key');
    two.backplane.release('key');
    await two.backplane.claim('other'); // Comes after the release.
    assert.equal((await two.backplane.owner('key'))?.owner, one.id);
  });

  define('the text for late requests is kept for its time', 2, async (nodes) => {
    const [one, two] = pair(nodes);
    await one.backplane.claim('key');
    one.backplane.release('key', 'c[3000,"Go away!"]', 2000);
    const closing = await until(
      async () => (await two.backplane.owner('key'))?.closing,
      'the text for late requests',
    );
    assert.equal(closing, 'c[3000,"Go away!"]');
    await until(async () => (await two.backplane.owner('key')) === undefined, 'its end');
  });

  define('members see each other, each card, and who leaves', 3, async (nodes) => {
    const [one, two, three] = nodes;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const cards = (): readonly string[] => [...one.members.values()].toSorted();
    await until(() => cards().join() === 'card 0,card 1,card 2', 'all members');
    await two.backplane.setCard('draining');
    await until(() => cards().join() === 'card 0,card 2,draining', 'the new card');
    await three.backplane.leave();
    await until(() => cards().join() === 'card 0,draining', 'the leave');
    await until(() => two.members.size === 2, 'the leave on another node');
  });

  define(
    'a topic keeps the order of each publisher over 10,000 messages',
    3,
    async (nodes) => {
      const [one, two, three] = nodes;
      assert.ok(one !== undefined && two !== undefined && three !== undefined);
      await three.backplane.subscribe('topic');
      const sent = Array.from({ length: 5000 }, (_, index) => String(index));
      for (let start = 0; start < sent.length; start += 500) {
        for (const data of sent.slice(start, start + 500)) {
          one.backplane.publish('topic', data);
          two.backplane.publish('topic', data);
        }
        await until(() => three.messages.length >= 2 * Math.min(start, 4000), 'the messages');
      }
      await until(() => three.messages.length >= 10_000, 'all messages', { timeout: 30_000 });
      assert.deepEqual(three.data('topic', one.id), sent);
      assert.deepEqual(three.data('topic', two.id), sent);
      assert.deepEqual(three.missed, []);
    },
    LONG_INTERVAL_MS,
  );

  define('a topic carries any text', 2, async (nodes) => {
    const [one, two] = pair(nodes);
    const texts = [
      '',
      'a\0b\r\n',
      'ü€😀',
      '\ud800 lone \udfff',
      'x'.repeat(MEBIBYTE),
      '😀'.repeat(MEBIBYTE / 2),
      `x${'😀'.repeat(MEBIBYTE)}`,
      '\udc00'.repeat(MEBIBYTE / 4),
    ];
    await two.backplane.subscribe('topic');
    for (const text of texts) one.backplane.publish('topic', text);
    await until(() => two.messages.length >= texts.length, 'all messages');
    assert.ok(two.data('topic').every((data, index) => data === texts[index]));
    assert.deepEqual(two.missed, []);
  });

  define('a subscription has a beginning and an end', 3, async (nodes) => {
    const [one, two, three] = nodes;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    await one.backplane.subscribe('topic');
    await three.backplane.subscribe('topic');
    one.backplane.publish('topic', 'before');
    // The engine has the message, although it may take the connections of its clients in any order.
    await until(() => three.messages.length === 1, 'the first message');
    await two.backplane.subscribe('topic');
    await two.backplane.subscribe('fence');
    one.backplane.publish('topic', 'during');
    await until(() => two.messages.length === 1, 'the message');
    two.backplane.unsubscribe('topic');
    one.backplane.publish('topic', 'after');
    one.backplane.publish('fence', 'end');
    await until(() => two.data('fence').length === 1, 'the last message');
    assert.deepEqual(two.data('topic'), ['during']);
    assert.deepEqual(one.messages, [], 'a node does not receive its own messages');
  });

  define('a subscription that ends and begins again at once delivers', 2, async (nodes) => {
    const [one, two] = pair(nodes);
    await two.backplane.subscribe('topic');
    two.backplane.unsubscribe('topic');
    const first = two.backplane.subscribe('topic');
    two.backplane.unsubscribe('topic');
    await Promise.all([first, two.backplane.subscribe('topic')]);
    await two.backplane.subscribe('fence'); // The engine has everything before it.
    one.backplane.publish('topic', 'message');
    await until(() => two.messages.length === 1, 'the message');
  });

  define('records that two nodes renew at once are kept', 2, async (_, engine, namespace) => {
    const engines = [await engine.createEngine(), await engine.createEngine()];
    for (const each of engines) await each.connect(namespace, NO_ENGINE_LISTENER);
    for (let round = 0; round < 20; round += 1) {
      const records = new Map([['shared', 'value']]);
      const taken = await Promise.all(engines.map((each) => each.keep('cluster', records)));
      assert.deepEqual(taken, [[], []]);
    }
    await Promise.all(engines.map((each) => each.close()));
  });

  define('records are read while another node replaces them', 0, async (_, engine, namespace) => {
    const [one, two] = [await engine.createEngine(), await engine.createEngine()];
    for (const each of [one, two]) await each.connect(namespace, NO_ENGINE_LISTENER);
    for (let round = 0; round < 100; round += 1) {
      const fields = new Map([['field', String(round)]]);
      const operations = [
        one.keepMember('one', String(round)),
        two.keepMember('two', String(round)),
        one.writeFields('key', fields),
        two.readFields('key'),
      ];
      await within(Promise.all(operations), `round ${round}`, { timeout: 4000 });
    }
    assert.deepEqual((await two.readFields('key')).get('field'), '99');
    assert.deepEqual([...(await two.keepMember('two', 'x')).keys()].toSorted(), ['one', 'two']);
    await Promise.all([one.removeMember('one'), two.removeMember('two')]);
    await one.replaceFields('key', new Map());
    await Promise.all([one.close(), two.close()]);
  });

  define('fields that change while they are replaced are kept', 0, async (_, engine, namespace) => {
    const created = await engine.createEngine();
    try {
      await created.connect(namespace, NO_ENGINE_LISTENER);
      await created.writeFields('key', new Map([['ann', 'x']]));
      const fields = new Map([['ann', 'x']]);
      const replaced = created.replaceFields('key', fields);
      await new Promise(setImmediate); // The operation has begun.
      fields.clear();
      fields.set('bob', 'x');
      const changes = new Map([
        ['ann', undefined],
        ['bob', 'x'],
      ]);
      await Promise.all([replaced, created.writeFields('key', changes)]);
      assert.deepEqual([...(await created.readFields('key'))], [['bob', 'x']]);
      await created.replaceFields('key', new Map());
    } finally {
      await created.close();
    }
  });

  define('facts are read by other nodes until they are removed', 2, async (nodes) => {
    const [one, two] = pair(nodes);
    const read = async (): Promise<string> => {
      const facts = await two.backplane.facts('topic');
      return [...(facts.get(one.id) ?? [])]
        .map(([field, value]) => `${field}=${value}`)
        .toSorted()
        .join();
    };
    await until(() => two.members.size === 2, 'both members');
    await one.backplane.setFact('topic', 'ann', '{"age":1}');
    await one.backplane.setFact('topic', 'bob', 'x');
    await one.backplane.setFact('other', 'eve', 'x');
    await until(async () => (await read()) === 'ann={"age":1},bob=x', 'two facts');
    await one.backplane.setFact('topic', 'ann', undefined);
    await one.backplane.setFact('topic', 'bob', 'y');
    await until(async () => (await read()) === 'bob=y', 'the change');
    await one.backplane.leave();
    await until(async () => (await read()) === '', 'the end of the facts');
  });

  define('facts that changed during an outage are stored after it', 2, async (nodes, engine) => {
    const [one, two] = pair(nodes);
    await until(() => two.members.size === 2, 'both members');
    await Promise.all(
      ['ann', 'bob', 'eve'].map((field) => one.backplane.setFact('topic', field, 'x')),
    );
    await one.backplane.setFact('other', 'ann', 'x');
    await engine.stop();
    await until(() => one.downs > 0 && two.downs > 0, 'the outage');
    const changes = [
      one.backplane.setFact('topic', 'ann', undefined),
      one.backplane.setFact('topic', 'bob', 'y'),
      one.backplane.setFact('other', 'ann', undefined),
    ];
    await engine.start();
    await until(() => one.ups > 0 && two.ups > 0, 'the recovery', RECOVERY);
    await Promise.all(changes);
    const read = async (topic: string): Promise<unknown> => [
      ...((await two.backplane.facts(topic)).get(one.id) ?? []),
    ];
    await until(async () => String(await read('topic')) === 'bob,y,eve,x', 'the changes');
    await until(async () => String(await read('other')) === '', 'the removal');
  });

  define('a frozen engine delays operations', 2, async (nodes, engine) => {
    const [one, two] = pair(nodes);
    await two.backplane.subscribe('topic');
    await one.backplane.claim('key');
    const frozen = engine.freeze(1000);
    one.backplane.publish('topic', 'late');
    assert.equal((await two.backplane.claim('key')).owner, one.id);
    await frozen;
    await until(() => two.data('topic').length === 1, 'the message');
    assert.deepEqual([one.downs, two.downs], [0, 0]);
  });

  define('a lost connection rejects pending operations', 1, async ([node], engine, namespace) => {
    const client = await engine.createEngine();
    await client.connect(namespace, NO_ENGINE_LISTENER);
    const frozen = engine.freeze(500);
    const rejected = assert.rejects(client.read('claim', 'key'));
    await engine.stop();
    await within(rejected, 'the rejection', { timeout: 3000 });
    await frozen;
    await engine.start();
    await until(() => (node?.ups ?? 0) > 0, 'the recovery', RECOVERY);
    await client.close();
  });

  define(
    'claims and facts return after the engine has lost its records',
    2,
    async (nodes, engine) => {
      const [one, two] = pair(nodes);
      await until(() => two.members.size === 2, 'both members');
      await two.backplane.subscribe('topic');
      await one.backplane.setFact('topic', 'ann', 'x');
      const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`);
      await Promise.all(keys.map((key) => one.backplane.claim(key)));
      await engine.stop();
      await until(() => one.downs > 0 && two.downs > 0, 'the outage');
      await engine.startEmpty();
      await until(() => one.ups > 0 && two.ups > 0, 'the recovery', RECOVERY);
      const claims = await Promise.all(keys.map((key) => two.backplane.claim(key)));
      assert.deepEqual(new Set(claims.map(({ owner }) => owner)), new Set([one.id]));
      assert.deepEqual(one.lostClaims, []);
      await until(() => two.members.size === 2, 'both members');
      assert.equal((await two.backplane.facts('topic')).get(one.id)?.get('ann'), 'x');
      assert.ok(two.missed.includes(undefined));
      one.backplane.publish('topic', 'again');
      await until(() => two.data('topic').includes('again'), 'a message after the recovery');
    },
  );

  define('an unknown key is known to be free after the recovery', 2, async (nodes, engine) => {
    const [one, two] = pair(nodes);
    await engine.stop();
    await until(() => one.downs > 0 && two.downs > 0, 'the outage');
    await engine.startEmpty();
    await until(() => one.ups > 0 && two.ups > 0, 'the recovery', RECOVERY);
    assert.equal(await two.backplane.owner('key'), undefined);
    assert.equal((await two.backplane.claim('key')).owner, two.id);
  });

  define(
    'a claim that another node has taken is reported as lost',
    2,
    async (nodes, engine, namespace) => {
      const [one, two] = pair(nodes);
      await one.backplane.claim('key');
      // As after a restart of the engine that the first node notices too late.
      const thief = await engine.createEngine();
      await thief.connect(namespace, NO_ENGINE_LISTENER);
      await thief.replace('claim', 'key', one.id, two.id, 60_000);
      await engine.stop();
      await until(() => one.downs > 0, 'the outage');
      await engine.start();
      await until(() => one.lostClaims.length === 1, 'the loss', RECOVERY);
      assert.deepEqual(one.lostClaims, ['key']);
      await until(() => one.ups > 0 && two.ups > 0, 'the recovery', RECOVERY);
      // Both nodes have reconnected, the thief perhaps not.
      const remove = async (): Promise<true> => {
        await thief.replace('claim', 'key', two.id, undefined, 0);
        return true;
      };
      await until(() => remove().catch(() => false), 'the removal of the record');
      await thief.close();
    },
  );

  define('an outage rejects claims and counts messages as lost', 2, async (nodes, engine) => {
    const [one, two] = pair(nodes);
    await two.backplane.subscribe('topic');
    one.backplane.publish('topic', 'first');
    await until(() => two.data('topic').length === 1, 'the first message');
    await engine.stop();
    await until(() => one.downs > 0 && two.downs > 0, 'the outage');
    await assert.rejects(
      one.backplane.claim('key'),
      (error) => error instanceof SockJSError && error.code === 'ERR_BACKPLANE',
    );
    one.backplane.publish('topic', 'lost');
    assert.equal(one.backplane.lostPublishes, 1);
    await engine.start();
    await until(() => one.ups > 0 && two.ups > 0, 'the recovery', RECOVERY);
    await until(() => two.missed.length > 0, 'the report of the lost message');
    assert.deepEqual(two.data('topic'), ['first']);
  });

  define('subscriptions that deliver nothing are opened again', 2, async (nodes, engine) => {
    const [one, two] = pair(nodes);
    await two.backplane.subscribe('topic');
    await engine.deafen();
    one.backplane.publish('topic', 'not delivered');
    // A gap in the numbers of one publisher can be reported before the subscriptions are open again.
    await until(() => two.missed.includes(undefined), 'the report', RECOVERY);
    one.backplane.publish('topic', 'delivered');
    await until(() => two.data('topic').includes('delivered'), 'a message');
    assert.deepEqual([one.downs, two.downs], [0, 0]);
  });
}
