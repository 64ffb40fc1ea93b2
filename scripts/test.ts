/**
 * Runs all tests with coverage of src/. Node's own runner does the work; here stand the bounds.
 */
import { spawnSync } from 'node:child_process';

const COVERAGE = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**/*.ts',
  '--test-coverage-lines=95',
];

const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=3', '--test-timeout=120000', ...COVERAGE, 'test/**/*.test.ts'],
  { stdio: 'inherit' },
);
process.exitCode = status ?? 1;
