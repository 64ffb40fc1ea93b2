import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Frame, MessagesFrame, closeFrame } from '../../src/protocol/frame.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import { frameEncoder, scriptString } from '../../src/transports/transport.ts';
import type { Payload } from '../../src/base/payload.ts';
import { EVENTSOURCE } from '../../src/transports/eventsource.ts';
import { HTMLFILE } from '../../src/transports/htmlfile.ts';
import { JSONP } from '../../src/transports/jsonp.ts';
import { XHR } from '../../src/transports/xhr.ts';

function countEncodings(): { readonly encode: (frame: Frame) => Payload; count: number } {
  const encoder = {
    count: 0,
    encode: frameEncoder((text) => {
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

test('a long frame is encoded once, as bytes that all clients share, whatever is sent in between', () => {
  const encoder = countEncodings();
  const frames = ['a', 'é'].map(
    (letter) => new MessagesFrame([createMessage(letter.repeat(100_000))]),
  );
  const [first, second] = frames.map((frame) => encoder.encode(frame));
  assert.deepEqual(first, Buffer.from(`<${frames[0]?.text}>`));
  for (const [index, frame] of frames.entries()) {
    assert.equal(encoder.encode(frame), [first, second][index]);
  }
  assert.equal(encoder.count, 2);
});

test('every transport encodes a long frame like a short one', () => {
  const text = '%<\r\n\0\u2028é'.repeat(10);
  for (const transport of [XHR, EVENTSOURCE, HTMLFILE, JSONP]) {
    const message = createMessage(text);
    const short = transport.encode(new MessagesFrame([message], false), 'callback');
    const long = transport.encode(new MessagesFrame([message], true), 'callback');
    assert.equal(typeof short, 'string');
    assert.deepEqual(long, Buffer.from(short));
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
