import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SockJSError } from '../../src/base/errors.ts';
import {
  MESSAGE_OVERHEAD_BYTES,
  decodeBody,
  decodeWebSocketMessage,
  quote,
} from '../../src/protocol/message.ts';
import { createMessage } from '../../src/sessions/create-message.ts';

/** Characters that must be escaped in a frame. PROTOCOL.md, "Frames from the server". */
const ESCAPED_RANGES: readonly (readonly [number, number])[] = [
  [0x0000, 0x001f],
  [0x200c, 0x200f],
  [0x2028, 0x202f],
  [0x2060, 0x206f],
  [0xd800, 0xdfff],
  [0xfff0, 0xffff],
];

const SHORT_ESCAPES = new Map([
  [0x08, String.raw`"\b"`],
  [0x09, String.raw`"\t"`],
  [0x0a, String.raw`"\n"`],
  [0x0c, String.raw`"\f"`],
  [0x0d, String.raw`"\r"`],
]);

for (const [first, last] of ESCAPED_RANGES) {
  test(`U+${first.toString(16).padStart(4, '0')} to U+${last.toString(16).padStart(4, '0')} are escaped in lower-case hex`, () => {
    for (let code = first; code <= last; code += 1) {
      const escaped = `"\\u${code.toString(16).padStart(4, '0')}"`;
      assert.equal(quote(String.fromCharCode(code)), SHORT_ESCAPES.get(code) ?? escaped);
    }
  });
}

test('text that needs no escape is quoted as JSON.stringify does', () => {
  for (const text of ['plain', 'é', '€', '"ü"', '漢字', '\u{1f600}']) {
    assert.equal(createMessage(text).quoted, JSON.stringify(text));
  }
});

test('quote escapes only what JSON.stringify does in other text', () => {
  assert.equal(
    quote('plain "text" with \\ and é, 漢字, 😀'),
    String.raw`"plain \"text\" with \\ and é, 漢字, 😀"`,
  );
});

test('a pair of surrogates is not escaped', () => {
  assert.equal(quote('\ud83d\ude00'), '"😀"');
});

test('JSON.parse restores every string', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }),
      (text) => {
        assert.equal(JSON.parse(quote(text)), text);
      },
    ),
    { numRuns: 500 },
  );
});

test('a message is quoted once', () => {
  const message = createMessage('\u2028');
  assert.equal(message.quoted, String.raw`"\u2028"`);
  assert.equal(message.quoted, message.quoted);
});

test('the size of a message is its bytes as UTF-8 and an overhead, also for an empty one', () => {
  assert.equal(createMessage('"é"').size, MESSAGE_OVERHEAD_BYTES + 4);
  assert.equal(createMessage(new Uint8Array(7)).size, MESSAGE_OVERHEAD_BYTES + 7);
  assert.equal(createMessage('').size, MESSAGE_OVERHEAD_BYTES);
});

test('a message over 64 KiB is long', () => {
  assert.equal(createMessage('x'.repeat(65_000)).isLong, false);
  assert.equal(createMessage('é'.repeat(33_000)).isLong, true);
});

test('bytes cannot be quoted', () => {
  assert.throws(
    () => createMessage(new Uint8Array(1)).quoted,
    (error) => {
      assert.ok(error instanceof SockJSError);
      assert.equal(error.code, 'ERR_MESSAGE_TYPE');
      return true;
    },
  );
});

const NEITHER = [
  'null',
  '[null]',
  '[{"a":1},5]',
  '{"__proto__":null}',
  '5',
  'true',
  '["a",5]',
  '[["a"]]',
  '["a"',
  '[',
  ' ',
];

for (const json of NEITHER) {
  test(`${json} holds no messages`, () => {
    assert.equal(decodeBody(json), undefined);
    assert.equal(decodeWebSocketMessage(json), undefined);
  });
}

test('a body is an array of strings', () => {
  assert.deepEqual(decodeBody('["a","b"]')?.messages, ['a', 'b']);
  assert.deepEqual(decodeBody('[]')?.messages, []);
  assert.deepEqual(decodeBody(' [ "a" ] ')?.messages, ['a']);
});

test('a body is not one string', () => {
  assert.equal(decodeBody('"abc"'), undefined);
  assert.equal(decodeBody(''), undefined);
});

test('a WebSocket message is an array of strings, one string, or empty', () => {
  assert.deepEqual(decodeWebSocketMessage('["a","b"]'), ['a', 'b']);
  assert.deepEqual(decodeWebSocketMessage('"abc"'), ['abc']);
  assert.deepEqual(decodeWebSocketMessage('[]'), []);
  assert.deepEqual(decodeWebSocketMessage(''), []);
});

test('lone surrogates are decoded as they were sent', () => {
  assert.deepEqual(decodeBody(String.raw`["\ud800x\udc00"]`)?.messages, ['\ud800x\udc00']);
});

/** Makes a text long enough to be checked before it is parsed. */
function lengthen(json: string): string {
  return json + ' '.repeat(20_000);
}

test('a text holds the same messages whatever its length', () => {
  const token = fc.constantFrom(
    '[',
    ']',
    '"',
    '"a"',
    ',',
    ' ',
    '\\',
    String.raw`\"`,
    'a',
    '1',
    '{',
  );
  fc.assert(
    fc.property(fc.array(token), (tokens) => {
      const json = tokens.join('');
      assert.deepEqual(decodeBody(lengthen(json)), decodeBody(json));
      assert.deepEqual(decodeBody(lengthen(`["${json}"]`)), decodeBody(`["${json}"]`));
    }),
    { numRuns: 500 },
  );
});

for (const json of [
  '[['.repeat(10_000),
  `["]",${'{},'.repeat(10_000)}`,
  `["\\"",${'1,'.repeat(9000)}`,
]) {
  test(`a long text of ${json.slice(0, 8)} is refused before it is parsed`, (t) => {
    const { mock } = t.mock.method(JSON, 'parse');
    assert.equal(decodeBody(json), undefined);
    assert.equal(decodeWebSocketMessage(json), undefined);
    assert.equal(mock.callCount(), 0);
  });
}
