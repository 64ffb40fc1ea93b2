import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_MEMOIZED_BYTES } from '../../src/base/memoize.ts';
import { type Frame, MessagesFrame, closeFrame } from '../../src/protocol/frame.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import { memoizeEncoding, scriptString } from '../../src/transports/transport.ts';
import { XHR } from '../../src/transports/xhr.ts';

function countEncodings(): { readonly encode: (frame: Frame) => string; count: number } {
  const encoder = {
    count: 0,
    encode: memoizeEncoding((text) => {
      encoder.count += 1;
      return `<${text}>`;
    }),
  };
  return encoder;
}

test('a frame that is sent to many clients is encoded once', () => {
  const encoder = countEncodings();
  const frame = closeFrame(3000, '');
  for (let count = 0; count < 3; count += 1) assert.equal(encoder.encode(frame), '<c[3000,""]>');
  assert.equal(encoder.count, 1);
  assert.equal(encoder.encode(closeFrame(3001, '')), '<c[3001,""]>');
  assert.equal(encoder.count, 2);
});

test('an encoding of more than twice MAX_MEMOIZED_BYTES is not memoized', () => {
  for (const [length, encodings] of [
    [2 * MAX_MEMOIZED_BYTES, 1],
    [2 * MAX_MEMOIZED_BYTES + 1, 2],
  ] as const) {
    const encoder = countEncodings();
    const frame: Frame = { ...closeFrame(3000, ''), text: 'x'.repeat(length - 2) };
    encoder.encode(frame);
    assert.equal(encoder.encode(frame).length, length);
    assert.equal(encoder.count, encodings);
  }
});

test('a transport encodes a frame to the same text for every client', () => {
  const frame = new MessagesFrame([createMessage('x')]);
  assert.equal(XHR.encode(frame, ''), 'a["x"]\n');
  assert.equal(XHR.encode(frame, ''), XHR.encode(frame, ''));
});

test('a script string has no character that an HTML parser or a script stops at', () => {
  for (const text of ['</script>', '<!--', '"', '\\', '\n\r\0', 'é😀', '']) {
    const literal = scriptString(text);
    assert.doesNotMatch(literal, /[<\n\r\0]/);
    assert.equal(JSON.parse(literal), text);
  }
});
