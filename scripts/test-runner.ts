/** Runs test files with `node --test`, so that no test, hook or file can run for ever. */
import { spawnSync } from 'node:child_process';

export interface TestRun {
  readonly files: Iterable<string>;
  /** Number of files that run at the same time. */
  readonly concurrency: number;
  /** For each test and each hook, in milliseconds. */
  readonly timeout: number;
  /** More options of Node.js. */
  readonly options?: readonly string[];
  /** More variables of the environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** @returns the exit code of the test runner */
export function runTests({ files, concurrency, timeout, options = [], env = {} }: TestRun): number {
  const args = [
    '--import=./testkit/file-timeout.ts',
    '--test',
    `--test-timeout=${timeout}`,
    `--test-concurrency=${concurrency}`,
    ...options,
    ...files,
  ];
  const { status } = spawnSync(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}
