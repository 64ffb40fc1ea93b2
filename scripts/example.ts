/** Runs one of the examples: `npm run example -- chat`. Without a name it lists them. */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXAMPLES = fileURLToPath(new URL('../examples', import.meta.url));
const NAMES = globSync('*/server.ts', { cwd: EXAMPLES }).map(dirname).toSorted();
const PARENT_CHECK_MS = 200;

function run(name: string): void {
  const program = spawn(process.execPath, [`${EXAMPLES}/${name}/server.ts`], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => program.kill(signal));

  // npm starts a shell, and a signal to npm ends that shell without reaching this process.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) program.kill('SIGTERM');
  }, PARENT_CHECK_MS);

  program.on('exit', (code, signal) => {
    clearInterval(watch);
    process.exitCode = code ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 0 : 1);
  });
}

const [name = ''] = process.argv.slice(2);
if (NAMES.includes(name)) {
  run(name);
} else {
  console.error(`Usage: npm run example -- ${NAMES.join('|')}`);
  process.exitCode = 2;
}
