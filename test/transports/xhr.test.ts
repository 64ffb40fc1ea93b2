import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFrame } from '../../src/protocol/frame.ts';
import { XHR, XHR_STREAMING } from '../../src/transports/xhr.ts';
import * as kit from '../../testkit/transports.ts';
import { HOSTILE_FRAMES } from './hostile-frames.ts';

for (const [transport, expected] of [
  [XHR, kit.XHR],
  [XHR_STREAMING, kit.XHR_STREAMING],
] as const) {
  test(`${transport.name} has the content type and the prelude of PROTOCOL`, () => {
    assert.equal(transport.name, expected.name);
    assert.equal(transport.contentType, expected.contentType);
    assert.equal(transport.streaming, expected.isStreaming);
    assert.equal(transport.prelude(''), expected.prelude);
    assert.equal(transport.needsCallback, false);
  });

  test(`${transport.name} encodes a frame as a line`, () => {
    assert.equal(transport.encode(openFrame(), ''), 'o\n');
    for (const frame of HOSTILE_FRAMES) {
      // JSON escapes line breaks, so that only a frame that is not JSON has one.
      if (frame.text.includes('\n')) continue;
      assert.equal(kit.decodeFrame(expected, String(transport.encode(frame, ''))), frame.text);
    }
  });
}

test('proxies do not buffer xhr_streaming', () => {
  assert.deepEqual(XHR.headers, []);
  assert.deepEqual(XHR_STREAMING.headers, ['X-Accel-Buffering', 'no']);
});
