/** Numbers of messages in topics. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopicPublisher, TopicSubscriber } from '../../src/backplane/topic-messages.ts';
import { heapUsed } from '../../testkit/memory.ts';

const MAX_PUBLISH_BYTES = 1024 * 1024;
const MEBIBYTE = 1024 * 1024;

test('the memory of a publisher is bounded when clients choose the names of groups', async () => {
  const publisher = new TopicPublisher('one', MAX_PUBLISH_BYTES);
  const before = await heapUsed();
  for (let count = 0; count < 400_000; count += 1) {
    publisher.encode(`${'x'.repeat(200)} ${count}`.toUpperCase(), 'text');
    if (count % 1000 === 0) publisher.takeMarks();
  }
  const growth = (await heapUsed()) - before;
  assert.ok(growth < 60 * MEBIBYTE, `${growth} bytes`);
  assert.equal(publisher.encode('topic', 'text').length, 1);
});

test('messages of a topic arrive although its publisher has forgotten the number', () => {
  const publisher = new TopicPublisher('one', MAX_PUBLISH_BYTES);
  const messages: string[] = [];
  const subscriber = new TopicSubscriber('two', {
    onMessage: (_topic, _from, data) => messages.push(data),
    onMissed() {},
  });
  subscriber.subscribe('topic');
  const publish = (text: string): void => {
    for (const envelope of publisher.encode('topic', text)) subscriber.receive('topic', envelope);
  };
  for (let count = 1; count <= 5; count += 1) publish(`before ${count}`);
  for (let count = 0; count < 100_000; count += 1) publisher.encode(`other ${count}`, 'text');
  for (let count = 1; count <= 2; count += 1) publish(`after ${count}`);
  assert.deepEqual(messages.slice(-2), ['after 1', 'after 2']);
  assert.equal(messages.length, 7);
});

test('the marks of a publisher are bounded, and a loss without one is reported with the next message', () => {
  const publisher = new TopicPublisher('node', 1024);
  const missed: string[] = [];
  const subscriber = new TopicSubscriber('other', {
    onMessage() {},
    onMissed: (topic) => missed.push(topic),
  });
  subscriber.subscribe('last');
  for (const text of publisher.encode('last', 'before')) subscriber.receive('last', text);
  publisher.takeMarks();
  for (let count = 0; count < 110_000; count += 1) {
    publisher.encode(`topic ${count}`, 'text');
    publisher.lose(`topic ${count}`);
  }
  publisher.encode('last', 'lost');
  publisher.lose('last');
  const marks = publisher.takeMarks();
  assert.equal(marks.size, 100_000);
  assert.equal(marks.has('last'), false);
  for (const text of publisher.encode('last', 'after')) subscriber.receive('last', text);
  assert.deepEqual(missed, ['last']);
});
