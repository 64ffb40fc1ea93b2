/** The packed package in tests of users: Jest and Vitest, without flags and without configuration. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ROOT } from '../test/package/project.ts';
import { type ModuleType, compile, installation, runNode, tool } from './installation.ts';

const installed = await installation();
installed.link('vitest');

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const TESTING = readFileSync(join(ROOT, 'docs', 'testing.md'), 'utf8');

/** @returns the first program below a heading */
function program(document: string, heading: string, language: string): string {
  const start = `\n${document}`.indexOf(`\n${heading}\n`);
  const block = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm').exec(document.slice(start));
  assert.ok(start >= 0 && block?.[1] !== undefined, heading);
  return block[1];
}

/** Writes the chat class of the README. @returns the folder */
function chatFolder(runner: string, type: ModuleType): string {
  const folder = installed.folder(`chat-${runner}`, type);
  const chat = program(README, '## Connections', 'ts');
  assert.match(chat, /^router\.listen\(9999\);$/m);
  const exported = chat.replace('router.listen(9999);', 'export { router };');
  writeFileSync(join(folder, 'chat.ts'), exported);
  return folder;
}

/** Writes the chat class of the README and its test in docs/testing.md. @returns the folder */
async function chatProject(runner: string, heading: string, type: ModuleType): Promise<string> {
  const folder = chatFolder(runner, type);
  const module = type === 'module' ? 'nodenext' : 'commonjs';
  await compile('typescript', folder, ['chat.ts'], { module });
  writeFileSync(join(folder, 'chat.test.js'), program(TESTING, heading, 'js'));
  return folder;
}

describe('the chat class of the README, tested as in docs/testing.md', { concurrency: 2 }, () => {
  test('node:test', async () => {
    const folder = await chatProject('node', '# Testing', 'module');
    const printed = await runNode(folder, '--test', '--test-reporter=tap', 'chat.test.js');
    assert.match(printed, /^# pass 3\n# fail 0$/m);
  });

  test('node:test with TypeScript', async () => {
    const folder = chatFolder('typescript', 'module');
    writeFileSync(join(folder, 'chat.test.ts'), program(TESTING, '## TypeScript', 'ts'));
    const printed = await runNode(folder, '--test', '--test-reporter=tap');
    assert.match(printed, /^# pass 1\n# fail 0$/m);
  });

  test('Vitest', async () => {
    const folder = await chatProject('vitest', '## Vitest', 'module');
    const printed = await runNode(folder, join(tool('vitest'), 'vitest.mjs'), 'run', '--no-color');
    assert.match(printed, /^ +Tests +3 passed \(3\)$/m);
  });

  for (const jest of ['jest29', 'jest30']) {
    test(jest, async () => {
      const folder = await chatProject(jest, '## Jest', 'commonjs');
      const printed = await runNode(folder, join(tool(jest), 'bin', 'jest.js'), '--ci');
      assert.match(printed, /^Tests: +3 passed, 3 total$/m);
    });
  }
});

describe('test runners', { concurrency: 2 }, () => {
  for (const jest of ['jest29', 'jest30']) {
    test(`${jest} runs tests that require the package`, async () => {
      const folder = installed.folder(jest, 'commonjs', 'program.ts', 'jest.test.js');
      await compile('typescript', folder, ['program.ts'], { module: 'commonjs' });
      const printed = await runNode(folder, join(tool(jest), 'bin', 'jest.js'), '--ci');
      assert.match(printed, /^Tests: +2 passed, 2 total$/m);
    });
  }

  test('Vitest runs tests that import the package', async () => {
    const folder = installed.folder('vitest', 'module', 'program.ts', 'vitest.test.mjs');
    await compile('typescript', folder, ['program.ts'], { module: 'nodenext' });
    const printed = await runNode(folder, join(tool('vitest'), 'vitest.mjs'), 'run', '--no-color');
    assert.match(printed, /^ +Tests +2 passed \(2\)$/m);
  });
});
