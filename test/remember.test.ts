import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoizeLast } from '../src/base/memoize.ts';
import { XHR } from '../src/transports/xhr.ts';
import { MessagesFrame } from '../src/protocol/frame.ts';
import { createMessage } from '../src/sessions/create-message.ts';
import { collectGarbage } from './support/garbage.ts';

const LONGEST = 10;

function bytesOf(length: number): Buffer {
  return Buffer.alloc(length);
}

test('what is asked for twice in a row is made once', () => {
  const remembered = memoizeLast(bytesOf, LONGEST);
  assert.equal(remembered(3), remembered(3));
});

test('what is asked for after something else is made again', () => {
  const remembered = memoizeLast(bytesOf, LONGEST);
  const first = remembered(3);
  remembered(4);
  assert.notEqual(remembered(3), first);
});

test('what is too long is made each time, and does not push out what is kept', () => {
  const remembered = memoizeLast(bytesOf, LONGEST);
  const short = remembered(3);
  assert.notEqual(remembered(11), remembered(11));
  assert.equal(remembered(3), short);
});

test('what is too long can be freed', async () => {
  const remembered = memoizeLast(bytesOf, LONGEST);
  const made = new WeakRef(remembered(1000));
  await collectGarbage();
  assert.equal(made.deref(), undefined);
});

test('a dialect writes the same frame once, however many clients get it', () => {
  const frame = new MessagesFrame([createMessage('x')]);
  assert.equal(XHR.encode(frame, ''), 'a["x"]\n');
  assert.equal(XHR.encode(frame, ''), XHR.encode(frame, ''));
});
