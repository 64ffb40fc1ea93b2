import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEARTBEAT_FRAME, closeFrame, messagesFrame, openFrame } from '../../src/protocol/frame.ts';
import { Message } from '../../src/protocol/message.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import { collectGarbage } from '../../testkit/memory.ts';

test('open is o and heartbeat is h', () => {
  assert.equal(openFrame().text, 'o');
  assert.equal(HEARTBEAT_FRAME.text, 'h');
});

test('a close frame holds code and reason as JSON', () => {
  assert.equal(closeFrame(3000, 'Go away!').text, 'c[3000,"Go away!"]');
});

test('a close frame may hold other JSON than a WebSocket can carry', () => {
  const frame = closeFrame(1000, 'why', '["404",null]');
  assert.equal(frame.text, 'c["404",null]');
  assert.equal(frame.code, 1000);
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
  const [one, other] = [new Message('same', 4, false), new Message('same', 4, false)];
  assert.notEqual(messagesFrame([one]), messagesFrame([other]));
});

test('the first of the last messages alone gives another frame', () => {
  const [one, two] = [createMessage('one'), createMessage('two')];
  messagesFrame([one, two]);
  assert.equal(messagesFrame([one]).text, 'a["one"]');
});

const LENGTHS = [1, 80_000];

for (const length of LENGTHS) {
  test(`sessions with the same messages of ${length} bytes share one frame`, () => {
    const messages = ['a', 'b'].map((letter) => createMessage(letter.repeat(length)));
    const frame = messagesFrame(messages);
    assert.equal(messagesFrame([...messages]), frame);
    assert.equal(frame.isLong, length > 1);
  });
}

test('long frames of sessions with other messages before or after a broadcast do not replace each other', () => {
  const big = createMessage('x'.repeat(80_000));
  const lists = [0, 1].flatMap((index) => {
    const own = createMessage(`own ${index}`);
    return [[big], [own, big], [big, own], [own, big, own]];
  });
  const frames = lists.map((messages) => messagesFrame(messages));
  for (const [index, messages] of lists.entries()) {
    const same = messages.length < 3 ? messagesFrame(messages) : frames[index];
    assert.equal(same, frames[messages.length === 1 ? 0 : index]);
    const texts = messages.map(({ quoted }) => quoted);
    assert.equal(messagesFrame(messages).text, `a[${texts.join(',')}]`);
  }
});

test('long frames whose first and last messages are the same are told apart', () => {
  const [first, last] = [createMessage('x'.repeat(80_000)), createMessage('y')];
  const frame = messagesFrame([first, createMessage('1'), last]);
  assert.notEqual(messagesFrame([first, createMessage('2'), last]), frame);
});

test('a long frame is freed together with its messages', async () => {
  const create = (): WeakRef<object> =>
    new WeakRef(messagesFrame([createMessage('x'.repeat(70_000))]));
  const frame = create();
  await collectGarbage();
  assert.equal(frame.deref(), undefined);
});
