/** Limits for messages that wait for an engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_ENGINE_LISTENER } from '../../src/backplane/engine.ts';
import { MemoryEngine, MemoryHub } from '../../src/backplane/memory-engine.ts';
import { Topics } from '../../src/backplane/topics.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { until } from '../../testkit/until.ts';

const MEBIBYTE = 1024 * 1024;

/** Returns topics over an engine that responds to nothing until `thaw` is called. */
function frozenTopics(): { readonly topics: Topics; readonly thaw: () => void } {
  const faults = new EngineFaults();
  faults.freeze();
  const listener = { onMessage() {}, onMissed() {}, onDeaf() {}, onMembersChanged() {} };
  const topics = new Topics(faults.wrap(new MemoryEngine(new MemoryHub())), 'node', listener);
  return { topics, thaw: () => faults.thaw() };
}

test('messages of 32 Mi characters wait for a frozen engine, and further ones are lost', async () => {
  const { topics, thaw } = frozenTopics();
  const text = 'x'.repeat(MEBIBYTE);
  for (let count = 0; count < 40; count += 1) topics.publish('topic', text, true);
  // Each message has a header too.
  assert.equal(topics.lost, 9);
  thaw();
  await until(() => {
    const { lost } = topics;
    topics.publish('topic', text, true);
    return topics.lost === lost;
  }, 'the next message that is taken');
});

test('10,000 messages wait for a frozen engine, and further ones are lost', () => {
  const { topics } = frozenTopics();
  for (let count = 0; count < 10_010; count += 1) topics.publish('topic', 'x', true);
  assert.equal(topics.lost, 10);
});

test('one long message waits alone', () => {
  const { topics } = frozenTopics();
  topics.publish('topic', 'x'.repeat(33 * MEBIBYTE), true);
  assert.equal(topics.lost, 0);
  topics.publish('topic', 'x', true);
  assert.equal(topics.lost, 1);
});

test('a subscription that succeeds after its time limit delivers messages', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const faults = new EngineFaults();
  const messages: string[] = [];
  const topics = new Topics(faults.wrap(new MemoryEngine(new MemoryHub())), 'node', {
    onMessage: (_topic, _from, data) => messages.push(data),
    onMissed() {},
    onDeaf() {},
    onMembersChanged() {},
  });
  faults.freeze();
  const subscribed = assert.rejects(topics.subscribe('topic'), { code: 'ERR_BACKPLANE' });
  t.mock.timers.tick(2000);
  await subscribed;
  faults.thaw();
  await new Promise(setImmediate);
  topics.receive('topic', 'other 1 text 1/1 hello');
  assert.deepEqual(messages, ['hello']);
});

test('a burst of heartbeats does not take a slow subscription for a deaf one', async () => {
  class SlowEngine extends MemoryEngine {
    override async publish(topic: string, data: string): Promise<void> {
      setTimeout(() => void super.publish(topic, data), 100);
    }
  }
  const listener = { onMessage() {}, onMissed() {}, onDeaf, onMembersChanged() {} };
  const engine = new SlowEngine(new MemoryHub());
  const topics = new Topics(engine, 'node', listener);
  let deaf = 0;
  function onDeaf(): void {
    deaf += 1;
  }
  await engine.connect('test', {
    ...NO_ENGINE_LISTENER,
    onMessage: (topic, data) => topics.receive(topic, data),
  });
  await topics.restore();
  // Other nodes have announced changes.
  for (let now = 0; now < 10; now += 1) await topics.beat(now, 1000);
  assert.equal(deaf, 0);
  for (let now = 1000; now < 4000; now += 1000) await topics.beat(now, 1000);
  assert.equal(deaf, 1, 'probes are lost');
});
