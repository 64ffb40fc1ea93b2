/** The queue of messages of the browser client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox, byteLength } from '../../client/outbox.ts';

function outboxOf(...texts: readonly string[]): Outbox {
  const outbox = new Outbox(1000);
  for (const text of texts) assert.ok(outbox.push(text, outbox.queuedBytes));
  return outbox;
}

test('the length is that in UTF-8', () => {
  for (const text of ['', 'plain', '\u007f\u0080', '\u07ff\u0800', 'ä世\uffff', '🙂\u{10ffff}'])
    assert.equal(byteLength(text), Buffer.byteLength(text), text);
});

test('messages are taken in order, as a JSON array with escaped lone surrogates', () => {
  const outbox = outboxOf('one', '\ud800', '');
  assert.equal(outbox.queuedBytes, 5);
  assert.equal(outbox.take(0), String.raw`["one","\ud800",""]`);
  assert.equal(outbox.take(0), undefined);
  assert.equal(outbox.queuedBytes, 0);
});

test('a body has at most 256 KiB, or one message, and 1000 messages', () => {
  const outbox = new Outbox(2 ** 22);
  const long = 'x'.repeat(200 * 1024);
  for (const text of [long, long, long.repeat(2), ...Array.from({ length: 1001 }, () => '')])
    outbox.push(text, 0);
  const lengths: number[] = [];
  for (let body = outbox.take(0); body !== undefined; body = outbox.take(0))
    lengths.push((JSON.parse(body) as string[]).length);
  assert.deepEqual(lengths, [1, 1, 1, 1000, 1]);
});

test('the limit counts UTF-8, and what the transport buffers', () => {
  const outbox = new Outbox(10);
  assert.equal(outbox.push('ä'.repeat(6), 0), false);
  assert.equal(outbox.push('ä'.repeat(3), 5), false);
  assert.equal(outbox.push('ä'.repeat(3), 4), true);
});

test('a message is uncertain until it is confirmed', () => {
  const outbox = outboxOf('one');
  outbox.take(100);
  outbox.push('two', 0);
  outbox.take(200);
  outbox.push('queued', 0);
  outbox.confirm(150);
  assert.deepEqual(outbox.takeUncertain(), ['two']);
  assert.deepEqual(outbox.takeUncertain(), []);
  assert.equal(outbox.take(300), '["queued"]');
});

test('unconfirmed messages that are not delivered return to the queue, before the others', () => {
  const outbox = outboxOf('one', 'two');
  outbox.take(0);
  outbox.push('three', 0);
  outbox.restore();
  assert.equal(outbox.queuedBytes, 11);
  assert.deepEqual(outbox.takeUncertain(), []);
  assert.equal(outbox.take(0), '["one","two","three"]');
});

test('unconfirmed messages are kept up to the limit, and the oldest are forgotten', () => {
  const outbox = new Outbox(1000);
  for (const text of ['a', 'b', 'c']) {
    outbox.push(text.repeat(400), 0);
    outbox.take(0);
  }
  assert.deepEqual(outbox.takeUncertain(), ['b'.repeat(400), 'c'.repeat(400)]);
});

test('what a callback sends precedes what is queued', () => {
  const outbox = outboxOf('queued');
  outbox.sendFirst(() => void outbox.push('first', 0));
  assert.equal(outbox.take(0), '["first","queued"]');
});
