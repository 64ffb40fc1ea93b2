import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFrame } from '../../src/protocol/frame.ts';
import { HTMLFILE } from '../../src/transports/htmlfile.ts';
import * as kit from '../../testkit/transports.ts';
import { HOSTILE_FRAMES } from './hostile-frames.ts';

test('htmlfile has the content type and the prelude of PROTOCOL', () => {
  assert.equal(HTMLFILE.name, kit.HTMLFILE.name);
  assert.equal(HTMLFILE.contentType, kit.HTMLFILE.contentType);
  assert.equal(HTMLFILE.prelude('callback'), kit.HTMLFILE.prelude);
  assert.equal(HTMLFILE.streaming, true);
  assert.equal(HTMLFILE.needsCallback, true);
  assert.deepEqual(HTMLFILE.headers, ['X-Accel-Buffering', 'no']);
});

test('the prelude has more than 1024 bytes for every callback', () => {
  for (const callback of ['a', 'a.b_c-1', 'x'.repeat(32)]) {
    const prelude = HTMLFILE.prelude(callback);
    assert.ok(Buffer.byteLength(prelude) > 1024);
    assert.ok(prelude.includes(`var c = parent.${callback};`));
  }
});

test('a frame is a script element with a call', () => {
  const html = '<script>\np("o");\n</script>\r\n';
  assert.equal(HTMLFILE.encode(openFrame(), 'callback'), html);
});

test('text in a frame cannot end its script element', () => {
  for (const frame of HOSTILE_FRAMES) {
    const html = String(HTMLFILE.encode(frame, 'callback'));
    assert.equal(kit.decodeFrame(kit.HTMLFILE, html), frame.text);
    assert.equal(html.indexOf('</script'), html.lastIndexOf('</script'));
    assert.doesNotMatch(html.slice('<script>'.length), /<script|<!--/i);
  }
});
