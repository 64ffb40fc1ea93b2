/** The package as it is packed runs on the oldest Node of every line that it promises, and on the newest. */
import assert from 'node:assert/strict';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FIXTURES, nodeOf, pack, project, run, temporaryDirectory } from './support/package.ts';

/** npm ranges; 20.19 is the oldest line that can `require` an ES module. The other tests run on 24. */
const RANGES = ['20.19', '22', '26'];

const WS = import.meta.resolve('ws');

let directory = '';

before(async () => {
  directory = await temporaryDirectory();
  await project(directory, await pack(directory));
  await copyFile(join(FIXTURES, 'smoke.mjs'), join(directory, 'smoke.mjs'));
});

after(() => rm(directory, { recursive: true }));

async function assertWorks(node: string, version: string): Promise<void> {
  const { stdout, stderr } = await run(directory, node, 'smoke.mjs', WS);
  assert.ok(stdout.startsWith(`ok v${version}.`), stdout);
  assert.equal(stderr, '', 'without a warning');
}

for (const range of RANGES) {
  test(`the package works on Node ${range}`, async () => {
    await assertWorks(await nodeOf(range), range);
  });
}

test('the package works on the Node of these tests', async () => {
  const [major = ''] = process.versions.node.split('.');
  await assertWorks(process.execPath, major);
});
