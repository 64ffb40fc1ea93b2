import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEARTBEAT, OPEN, closeFrame, messagesFrame } from '../../src/protocol/frame.ts';
import { Message } from '../../src/protocol/message.ts';

test('open is o and heartbeat is h', () => {
  assert.equal(OPEN.text, 'o');
  assert.equal(HEARTBEAT.text, 'h');
});

test('a close frame holds code and reason as JSON', () => {
  assert.equal(closeFrame(3000, 'Go away!').text, 'c[3000,"Go away!"]');
});

test('a close reason is escaped like a message', () => {
  assert.equal(closeFrame(3000, '"\u2028').text, String.raw`c[3000,"\"\u2028"]`);
});

test('messages are one array, in order', () => {
  const frame = messagesFrame([new Message('a'), new Message('"'), new Message('')]);
  assert.equal(frame.text, String.raw`a["a","\"",""]`);
});

test('the same messages asked for twice in a row are the same frame: a broadcast is encoded once', () => {
  const [one, two] = [new Message('one'), new Message('two')];
  const frame = messagesFrame([one, two]);
  assert.equal(messagesFrame([one, two]), frame);
  assert.equal(frame.text, 'a["one","two"]');
});

test('equal texts of different messages are different frames', () => {
  assert.notEqual(messagesFrame([new Message('same')]), messagesFrame([new Message('same')]));
});

test('a beginning of other messages is not mistaken for them', () => {
  const [one, two] = [new Message('one'), new Message('two')];
  messagesFrame([one, two]);
  assert.equal(messagesFrame([one]).text, 'a["one"]');
});

test('a long frame is not remembered, so that it can be freed', () => {
  const long = [new Message('x'.repeat(70_000))];
  assert.notEqual(messagesFrame(long), messagesFrame(long));
});
