/**
 * Runs all tests on src/ with coverage, then the conformance tests on dist/: users get another module
 * format than the one that is written. Node's own runner does the work; here stand the bounds.
 */
import { spawnSync } from 'node:child_process';

const COVERAGE = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**/*.ts',
  '--test-coverage-lines=95',
];

const BOUNDS = ['--test-concurrency=3', '--test-timeout=120000'];

function run(...args: readonly string[]): number {
  const { status } = spawnSync(process.execPath, ['--test', ...BOUNDS, ...args], {
    stdio: 'inherit',
  });
  return status ?? 1;
}

const onSources = run(...COVERAGE, 'test/**/*.test.ts');
const onDist = run('--import=./scripts/use-dist.ts', 'test/conformance/**/*.test.ts');
process.exitCode = onSources === 0 ? onDist : onSources;
