/**
 * Runs all tests on src/ with coverage, then the conformance tests on dist/, which has another module format than
 * the sources.
 */
import { spawnSync } from 'node:child_process';

const COVERAGE = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**/*.ts',
  '--test-coverage-lines=95',
];

const LIMITS = ['--test-concurrency=3', '--test-timeout=120000'];

function run(...args: readonly string[]): number {
  const { status } = spawnSync(process.execPath, ['--test', ...LIMITS, ...args], {
    stdio: 'inherit',
  });
  return status ?? 1;
}

const onSources = run(...COVERAGE, 'test/**/*.test.ts');
const onDist = run('--import=./scripts/use-dist.ts', 'test/conformance/**/*.test.ts');
process.exitCode = onSources === 0 ? onDist : onSources;
