import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFrame } from '../../src/protocol/frame.ts';
import { JSONP } from '../../src/transports/jsonp.ts';
import * as kit from '../../testkit/transports.ts';
import { HOSTILE_FRAMES } from './hostile-frames.ts';

test('jsonp has the content type and no prelude', () => {
  assert.equal(JSONP.name, kit.JSONP.name);
  assert.equal(JSONP.contentType, kit.JSONP.contentType);
  assert.equal(JSONP.prelude('callback'), kit.JSONP.prelude);
  assert.equal(JSONP.streaming, false);
  assert.equal(JSONP.needsCallback, true);
});

test('a response is not sniffed, and is saved under a harmless name', () => {
  assert.deepEqual(JSONP.headers, [
    'X-Content-Type-Options',
    'nosniff',
    'Content-Disposition',
    'attachment; filename=f.txt',
  ]);
});

test('a frame is a call of the callback after a comment', () => {
  assert.equal(JSONP.encode(openFrame(), 'callback'), '/**/callback("o");\r\n');
  assert.equal(JSONP.encode(openFrame(), 'a.b_c-1'), '/**/a.b_c-1("o");\r\n');
});

test('text in a frame cannot end the string of its script', () => {
  for (const frame of HOSTILE_FRAMES) {
    const script = String(JSONP.encode(frame, 'callback'));
    assert.equal(kit.decodeFrame(kit.JSONP, script), frame.text);
    assert.doesNotMatch(script, /</);
  }
});

test('two clients with different callbacks get their own encoding of one frame', () => {
  const frame = openFrame();
  assert.notEqual(JSONP.encode(frame, 'one'), JSONP.encode(frame, 'two'));
});
