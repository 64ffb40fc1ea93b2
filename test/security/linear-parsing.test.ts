/**
 * Every parser of client bytes takes linear time, whatever the input. Each one gets its worst shapes, which are listed
 * in test/fuzz/parsers.ts. `npm run fuzz -- --slowest` searches for worse ones.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Program } from '../../testkit/process.ts';
import { PARSERS } from '../fuzz/parsers.ts';

const TIMEOUT_MS = 60_000;

// Without the variable, Node would pass on its own value.
const env = { NODE_V8_COVERAGE: '' };
const program = Program.node('test/security/parsing-process.ts', [], { ipc: true, env });
after(() => program.stop());

/** Returns a line for each shape of input that takes a parser too long. */
async function findFaults(name: string): Promise<string> {
  program.send(name);
  return String(await program.nextMessage({ timeout: TIMEOUT_MS }));
}

for (const { name, limit, shapes } of PARSERS) {
  const { bytes, ms } = limit;
  test(`${name} takes linear time, and at most ${ms} ms for ${bytes} bytes`, async () => {
    assert.ok(shapes.length > 0);
    assert.equal(await findFaults(name), '');
  });
}

test('a parser that takes quadratic time is found', async () => {
  assert.match(await findFaults('quadratic'), /but only .* ms in 64 parts/);
});

test('a parser that takes too long for its longest input is found', async () => {
  assert.match(await findFaults('slow'), /ms for 16384 bytes/);
});
