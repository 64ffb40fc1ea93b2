/** Seeded histories keep the rules, and faults that are planted in the cluster break them. */
/* oxlint-disable typescript/unbound-method -- each method is called with its object */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Claim } from '../../src/backplane/backplane.ts';
import { MemoryEngine } from '../../src/backplane/memory-engine.ts';
import { TopicPublisher } from '../../src/backplane/topic-messages.ts';
import { LocalNode } from '../../src/cluster/local-node.ts';
import { parseClaim } from '../../src/backplane/claim-keeper.ts';
import type { RequestContext } from '../../src/http/request-context.ts';
import { Session } from '../../src/sessions/session.ts';
import { ClusterLog, type ClusterEventBody } from './cluster-log.ts';
import { formatEvent, formatViolations } from './format-log.ts';
import { HistoryTotals } from './history-totals.ts';
import { runHistory } from './simulation.ts';

const HISTORIES = Number(process.env['TEST_ROUNDS'] ?? 60);
const FIRST_SEED = Number(process.env['TEST_SEED'] ?? 1);
/** Histories in which a planted fault has to show. */
const MAX_HISTORIES = 60;

test('seeded histories keep all rules', async () => {
  const totals = new HistoryTotals();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed += 1) {
    const result = await runHistory(String(seed));
    assert.equal(result.violations.length, 0, formatViolations(result));
    totals.add(result);
  }
  if (HISTORIES < 60) return;
  // Histories in which nothing happens would prove nothing.
  for (const name of ['relayed requests', 'messages to the client', 'topic messages delivered'])
    assert.ok((totals.counts[name] ?? 0) > 3 * HISTORIES, `${name}: ${totals.counts[name]}`);
  for (const [fault, count] of Object.entries(totals.faults))
    assert.ok(count > HISTORIES / 10, `${fault}: ${count}`);
});

test('a history is repeated by its seed', async () => {
  const [one, two, other] = [await runHistory('a'), await runHistory('a'), await runHistory('b')];
  const logs = [one, two, other].map(({ events }) => events.map(formatEvent).join('\n'));
  assert.equal(logs[0], logs[1]);
  assert.notEqual(logs[0], logs[2]);
});

/** A replacement of a method. */
type Replacement<Self, Method extends (...args: never[]) => unknown> = (
  this: Self,
  ...args: Parameters<Method>
) => ReturnType<Method>;

/** Faults of the cluster itself. Each is planted with the mocks of a test. */
const PLANTED: Readonly<
  Record<string, { readonly rule: RegExp; readonly plant: (t: TestContext) => void }>
> = {
  'a relay that repeats a POST': {
    rule: /the session received "c\d+-\d+" as message/,
    plant: ({ mock }) => {
      const original = LocalNode.prototype.relay;
      const repeat: Replacement<LocalNode, typeof original> = async function repeat(
        owner,
        context,
        options,
      ) {
        const outcome = await original.call(this, owner, context, options);
        if (options.body !== undefined && outcome === 'responded') {
          const exchange = ignoreResponse(context.exchange);
          const again = Object.create(context, { exchange: { value: exchange } }) as RequestContext;
          void original.call(this, owner, again, options);
        }
        return outcome;
      };
      mock.method(LocalNode.prototype, 'relay', repeat);
    },
  },
  'a node that opens a session which it does not own': {
    rule: /n\d+ opened a session that n\d+ had opened/,
    plant: ({ mock }) => {
      const original = MemoryEngine.prototype.create;
      const create: Replacement<MemoryEngine, typeof original> = function create(kind, key, value) {
        return kind === 'claim' ? Promise.resolve(value) : original.call(this, kind, key, value);
      };
      mock.method(MemoryEngine.prototype, 'create', create);
    },
  },
  'a node that takes over the sessions of a dead one': {
    rule: /n\d+ opened a session whose owner n\d+ was killed/,
    plant: ({ mock }) => {
      const original = MemoryEngine.prototype.create;
      const create: Replacement<MemoryEngine, typeof original> = async function create(
        kind,
        key,
        value,
      ) {
        const stored = await original.call(this, kind, key, value);
        if (kind !== 'claim' || stored === value) return stored;
        const { owner }: Claim = parseClaim(stored);
        const isAlive = (await this.read('member', owner)) !== undefined;
        if (isAlive) return stored;
        await this.replace(kind, key, stored, value, 60_000);
        return value;
      };
      mock.method(MemoryEngine.prototype, 'create', create);
    },
  },
  'a lost publish that is not reported': {
    rule: /n\d+ did not receive n\d+-\d+ in (?:red|blue)/,
    plant: ({ mock }) => {
      const original = TopicPublisher.prototype.encode;
      let count = 0;
      const encode: Replacement<TopicPublisher, typeof original> = function encode(topic, data) {
        count += 1;
        return count % 10 === 0 ? [] : original.call(this, topic, data);
      };
      mock.method(TopicPublisher.prototype, 'encode', encode);
    },
  },
  'topic messages out of order': {
    rule: /n\d+ received n\d+-\d+ out of order in (?:red|blue)/,
    plant: ({ mock }) => {
      const original = TopicPublisher.prototype.encode;
      const delayed = new Map<object, { readonly topic: string; readonly data: string }>();
      const encode: Replacement<TopicPublisher, typeof original> = function encode(topic, data) {
        const before = delayed.get(this);
        if (before?.topic !== topic) {
          if (before === undefined) delayed.set(this, { topic, data });
          return before === undefined ? [] : original.call(this, topic, data);
        }
        delayed.delete(this);
        return [data, before.data].flatMap((text) => original.call(this, topic, text));
      };
      mock.method(TopicPublisher.prototype, 'encode', encode);
    },
  },
  'messages of a session out of order': {
    rule: /the session received "c\d+-\d+" as message \d+, and "c\d+-\d+" had been sent/,
    plant: ({ mock }) => {
      const original = Session.prototype.receive;
      const receive: Replacement<Session, typeof original> = function receive(
        from,
        messages,
        bytes,
      ) {
        return original.call(this, from, messages.toReversed(), bytes);
      };
      mock.method(Session.prototype, 'receive', receive);
    },
  },
  'messages of a session that are lost': {
    rule: /the session received/,
    plant: ({ mock }) => {
      const original = Session.prototype.receive;
      const receive: Replacement<Session, typeof original> = function receive(
        from,
        messages,
        bytes,
      ) {
        return original.call(this, from, messages.slice(0, 2), bytes);
      };
      mock.method(Session.prototype, 'receive', receive);
    },
  },
  'two calls of onClose': {
    rule: /the session on n\d+ closed 2 times/,
    plant: ({ mock }) => {
      const original = ClusterLog.prototype.add;
      mock.method(
        ClusterLog.prototype,
        'add',
        function add(this: ClusterLog, body: ClusterEventBody) {
          original.call(this, body);
          if (body.source === 'session' && body.event.type === 'closed') original.call(this, body);
        },
      );
    },
  },
};

/** Returns an exchange of which the client sees nothing. */
function ignoreResponse<E extends object>(exchange: E): E {
  const silent = new Set<string | symbol>([
    'abort',
    'end',
    'listen',
    'respond',
    'startStream',
    'write',
  ]);
  const values: Readonly<Record<string, boolean>> = { isDisconnected: false, writable: true };
  return new Proxy(exchange, {
    get(target, name) {
      if (silent.has(name)) return () => {};
      return typeof name === 'string' && name in values
        ? values[name]
        : (Reflect.get(target, name, target) as unknown);
    },
  });
}

for (const [fault, { rule, plant }] of Object.entries(PLANTED)) {
  test(`the checker finds ${fault}`, async (t) => {
    plant(t);
    for (let seed = 1; seed <= MAX_HISTORIES; seed += 1) {
      const result = await runHistory(String(seed));
      const found = result.violations.find((violation) => rule.test(violation.rule));
      if (found === undefined) continue;
      assert.ok(found.events.length > 0);
      assert.match(formatViolations(result), new RegExp(`^seed ${seed}: `, 'm'));
      return;
    }
    assert.fail(`no history shows ${fault}`);
  });
}
