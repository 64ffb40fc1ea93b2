import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEARTBEAT_FRAME, closeFrame, messagesFrame, openFrame } from '../../src/protocol/frame.ts';
import { createMessage } from '../../src/sessions/create-message.ts';

test('open is o and heartbeat is h', () => {
  assert.equal(openFrame().text, 'o');
  assert.equal(HEARTBEAT_FRAME.text, 'h');
});

test('a close frame holds code and reason as JSON', () => {
  assert.equal(closeFrame(3000, 'Go away!').text, 'c[3000,"Go away!"]');
});

test('a close reason is escaped like a message', () => {
  assert.equal(closeFrame(3000, '"\u2028').text, String.raw`c[3000,"\"\u2028"]`);
});

test('messages are one array, in order', () => {
  const frame = messagesFrame([createMessage('a'), createMessage('"'), createMessage('')]);
  assert.equal(frame.text, String.raw`a["a","\"",""]`);
});

test('the same messages twice in a row give the same frame, so that a broadcast is encoded once', () => {
  const [one, two] = [createMessage('one'), createMessage('two')];
  const frame = messagesFrame([one, two]);
  assert.equal(messagesFrame([one, two]), frame);
  assert.equal(frame.text, 'a["one","two"]');
});

test('different messages with equal texts give different frames', () => {
  assert.notEqual(messagesFrame([createMessage('same')]), messagesFrame([createMessage('same')]));
});

test('the first of the last messages alone gives another frame', () => {
  const [one, two] = [createMessage('one'), createMessage('two')];
  messagesFrame([one, two]);
  assert.equal(messagesFrame([one]).text, 'a["one"]');
});

test('a long frame is not memoized, so that its memory can be freed', () => {
  const long = [createMessage('x'.repeat(70_000))];
  assert.notEqual(messagesFrame(long), messagesFrame(long));
});
