/** The packed package runs on the supported versions of Node. */
import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { temporaryDirectory } from '../../testkit/process.ts';
import { FIXTURES, ROOT, createProject, installNode, pack, run } from './project.ts';

/** npm ranges. 20.19 is the first version that can `require` an ES module. The other tests run on 24. */
const RANGES = ['20.19', '22', '26'];

const WS = import.meta.resolve('ws');

const directory = await temporaryDirectory({ after });

before(async () => {
  await createProject(directory, await pack(directory));
  await Promise.all(PROGRAMS.map(({ file }) => copyFile(file, join(directory, basename(file)))));
});

/** Programs that the installed package has to pass, with their argument. */
const PROGRAMS = [
  { file: join(FIXTURES, 'smoke.mjs'), argument: WS },
  {
    file: join(ROOT, 'test', 'hosts', 'node', 'node-internals-checks.mjs'),
    argument: 'node_modules/sockjs-server/dist/hosts/node/node-internals.js',
  },
];

async function assertWorks(node: string, version: string): Promise<void> {
  for (const { file, argument } of PROGRAMS) {
    const { stdout, stderr } = await run(directory, node, basename(file), argument);
    assert.ok(stdout.startsWith(`ok v${version}.`), stdout);
    assert.equal(stderr, '', 'Node printed a warning');
  }
}

for (const range of RANGES) {
  test(`the package works on Node ${range}`, async () => {
    await assertWorks(await installNode(range), range);
  });
}

test('the package works on the Node of these tests', async () => {
  const [major = ''] = process.versions.node.split('.');
  await assertWorks(process.execPath, major);
});
