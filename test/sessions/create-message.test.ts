import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { test } from 'node:test';
import { createMessage, createSharedMessage } from '../../src/sessions/create-message.ts';

const MAX_CHARACTERS = 64 * 1024 * 1024;
/** Characters that one character takes at most, as JSON in a JavaScript string. */
const MAX_EXPANSION = String.raw`\\u0000`.length;

test('a text of more than 64 Mi characters throws an error', () => {
  // Parts of a rope, which take no memory.
  const text = 'x'.repeat(MAX_CHARACTERS);
  for (const create of [createMessage, createSharedMessage]) {
    assert.throws(() => create(`${text}x`), { code: 'ERR_MESSAGE_TYPE', message: /67108864/ });
  }
});

test('the JSON of the longest text fits into a string', () => {
  assert.ok(MAX_CHARACTERS * MAX_EXPANSION < constants.MAX_STRING_LENGTH);
});

test('the same text twice in a row is one message, so that a loop of sends encodes it once', () => {
  for (const text of ['short', 'x'.repeat(100_000)]) {
    const message = createMessage(text);
    assert.equal(createMessage(text.slice()), message);
    assert.notEqual(createMessage('other'), message);
  }
});
