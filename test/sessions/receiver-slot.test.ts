import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSStats } from '../../src/base/stats.ts';
import { ReceiverSlot } from '../../src/sessions/receiver-slot.ts';
import { FakeReceiver } from './fake-receiver.ts';

function create() {
  const stats = new SockJSStats('/echo', () => 0);
  const slot = new ReceiverSlot(stats);
  const receiver = new FakeReceiver(1);
  slot.attach(receiver);
  return { slot, receiver, attached: () => stats.dump().connectionsActive };
}

test('an attached receiver is ready, and is counted until it is removed', () => {
  const { slot, receiver, attached } = create();
  assert.equal(slot.ready, receiver);
  assert.equal(attached(), 1);
  assert.equal(slot.remove(receiver), true);
  assert.equal(slot.ready, undefined);
  assert.equal(attached(), 0);
  assert.equal(slot.remove(receiver), false);
  assert.equal(attached(), 0);
});

test('a detached receiver without buffered bytes leaves room at once', () => {
  const { slot, attached } = create();
  slot.detach();
  assert.equal(slot.isFlushing, false);
  assert.equal(attached(), 0);
  const next = new FakeReceiver(1);
  slot.attach(next);
  assert.equal(slot.ready, next);
});

test('the next receiver is ready only when the last response has been delivered', () => {
  const { slot, receiver } = create();
  receiver.bufferedBytes = 10;
  slot.detach();
  assert.ok(slot.isFlushing);
  assert.equal(slot.bufferedBytes, 10);
  const next = new FakeReceiver(1);
  slot.attach(next);
  assert.equal(slot.isFlushing, false);
  assert.equal(slot.ready, undefined);
  assert.equal(slot.delivered(next), false);
  assert.equal(slot.delivered(receiver), true);
  assert.equal(slot.ready, next);
});

test('a last response that breaks off leaves room, and was not attached any more', () => {
  const { slot, receiver } = create();
  receiver.bufferedBytes = 10;
  slot.detach();
  assert.equal(slot.remove(receiver), false);
  assert.equal(slot.isFlushing, false);
});

test('abort drops the attached receiver once', () => {
  const { slot, receiver, attached } = create();
  slot.abort();
  assert.ok(receiver.aborted);
  assert.equal(attached(), 0);
  receiver.aborted = false;
  slot.abort();
  assert.equal(receiver.aborted, false);
});

test('a slot is writable unless its receiver is not', () => {
  const { slot, receiver } = create();
  assert.ok(slot.writable);
  receiver.writable = false;
  assert.equal(slot.writable, false);
  slot.detach();
  assert.ok(slot.writable);
});

test('input is seen when the received bytes have changed, and always where they are unknown', () => {
  const { slot, receiver } = create();
  assert.ok(slot.hasInput());
  assert.ok(slot.hasInput());
  receiver.bytesReceived = 100;
  assert.ok(slot.hasInput());
  assert.equal(slot.hasInput(), false);
  receiver.bytesReceived = 101;
  assert.ok(slot.hasInput());
});
