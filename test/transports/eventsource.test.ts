import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeFrame } from '../../src/protocol/frame.ts';
import { EVENTSOURCE } from '../../src/transports/eventsource.ts';
import * as kit from '../../testkit/transports.ts';
import { HOSTILE_FRAMES } from './hostile-frames.ts';

test('eventsource has the content type and the prelude of PROTOCOL', () => {
  assert.equal(EVENTSOURCE.name, kit.EVENTSOURCE.name);
  assert.equal(EVENTSOURCE.contentType, kit.EVENTSOURCE.contentType);
  assert.equal(EVENTSOURCE.prelude(''), kit.EVENTSOURCE.prelude);
  assert.equal(EVENTSOURCE.streaming, true);
  assert.equal(EVENTSOURCE.needsCallback, false);
  assert.deepEqual(EVENTSOURCE.headers, ['X-Accel-Buffering', 'no']);
});

test('a frame is the data of one event, which decodeURI reads', () => {
  for (const frame of HOSTILE_FRAMES) {
    const event = EVENTSOURCE.encode(frame, '');
    assert.equal(kit.decodeFrame(kit.EVENTSOURCE, String(event)), frame.text);
  }
});

test('percent signs, line breaks and NUL are percent-encoded', () => {
  const frame = { ...closeFrame(3000, ''), text: '100%\r\n\0é' };
  assert.equal(EVENTSOURCE.encode(frame, ''), 'data: 100%25%0D%0A%00é\r\n\r\n');
});
