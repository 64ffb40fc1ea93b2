import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessagesFrame, closeFrame } from '../../src/protocol/frame.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import { SCRIPT_STRING, frameEncoding } from '../../src/transports/transport.ts';
import type { Payload } from '../../src/base/payload.ts';
import { EVENTSOURCE } from '../../src/transports/eventsource.ts';
import { HTMLFILE } from '../../src/transports/htmlfile.ts';
import { JSONP } from '../../src/transports/jsonp.ts';
import { XHR } from '../../src/transports/xhr.ts';
import * as kit from '../../testkit/transports.ts';

/** An encoding that counts the frames that it encodes. */
function countEncodings() {
  const counter = {
    count: 0,
    encode: frameEncoding(
      '<',
      {
        encodeShort: ({ text }) => {
          counter.count += 1;
          return text;
        },
        encodeLong: ({ text }) => {
          counter.count += 1;
          return Buffer.from(text);
        },
      },
      '>',
    ),
  };
  return counter;
}

/** Joins the pieces of a payload. */
function bytesOf(payload: Payload | undefined): Buffer {
  assert.ok(payload !== undefined);
  return typeof payload === 'string' ? Buffer.from(payload) : Buffer.concat(payload);
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
  assert.deepEqual(bytesOf(first), Buffer.from(`<${frames[0]?.text}>`));
  for (const [index, frame] of frames.entries()) {
    assert.equal(encoder.encode(frame), [first, second][index]);
  }
  assert.equal(encoder.count, 2);
});

test('every transport encodes a long frame so that its clients can decode it', () => {
  for (const [transport, clients] of [
    [XHR, kit.XHR],
    [EVENTSOURCE, kit.EVENTSOURCE],
    [HTMLFILE, kit.HTMLFILE],
    [JSONP, kit.JSONP],
  ] as const) {
    for (const text of ['%<\r\n\0\u2028é"\\', 'x', '👋']) {
      const frame = new MessagesFrame([createMessage(text.repeat(80_000))]);
      const payload = transport.encode(frame, 'callback');
      assert.equal(typeof payload, 'object');
      assert.ok(kit.decodeFrame(clients, String(bytesOf(payload))) === frame.text);
    }
  }
});

test('a transport encodes a frame to the same text for every client', () => {
  const frame = new MessagesFrame([createMessage('x')]);
  assert.equal(XHR.encode(frame, ''), 'a["x"]\n');
  assert.equal(XHR.encode(frame, ''), XHR.encode(frame, ''));
});

for (const isLong of [false, true]) {
  test(`a ${isLong ? 'long' : 'short'} script string has no character that an HTML parser or a script stops at`, () => {
    for (const text of ['</script>', '<!--', '"', '\\', '\n\r\0', 'é😀', '']) {
      const frame = { ...closeFrame(3000, ''), text };
      const literal = String(
        isLong ? SCRIPT_STRING.encodeLong(frame) : SCRIPT_STRING.encodeShort(frame),
      );
      assert.doesNotMatch(literal, /[<\n\r\0]/);
      assert.equal(JSON.parse(literal), text);
    }
  });
}

test('transports with the same encoding share the bytes of a long frame', () => {
  const frame = new MessagesFrame([createMessage('a<'.repeat(40_000))]);
  const [html, jsonp] = [HTMLFILE, JSONP].map((transport) => transport.encode(frame, 'callback'));
  assert.ok(typeof html === 'object' && typeof jsonp === 'object');
  assert.equal(html[1], jsonp[1]);
});
