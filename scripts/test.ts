/**
 * Runs all tests on src/, then the conformance tests on dist/, which has another module format than the sources. Most
 * files wait more than they compute, so many run at once, with coverage. Tests that measure follow with little load.
 */
import { globSync } from 'node:fs';
import { runTests } from './test-runner.ts';

/** Tests that compare CPU time, memory or short durations with a limit. */
const MEASURING = new Set(
  globSync([
    'test/base/{escape,recent-map}.test.ts',
    'test/command/{program,tokens}.test.ts',
    'test/fuzz/*.test.ts',
    'test/hosts/http2/hostile-*.test.ts',
    'test/hosts/node/{node-websocket-memory,write-watchdog}.test.ts',
    'test/relay/frames.test.ts',
    'test/security/{linear-parsing,memory,never-reading-clients}.test.ts',
    'test/security/{ping-flood,reviewed-attacks,websocket-codec}.test.ts',
    'test/soak/*.test.ts',
    'test/test-server.test.ts',
  ]),
);

const COVERAGE = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**/*.ts',
  '--test-coverage-lines=95',
];

const TIMEOUT_MS = 120_000;

const waiting = globSync('test/**/*.test.ts').filter((file) => !MEASURING.has(file));
// over-http2.test.ts runs the others again in processes that do not use dist/.
const conformance = globSync('test/conformance/**/*.test.ts', { exclude: ['**/over-*'] });
const codes = [
  runTests({ files: waiting, concurrency: 4, timeout: TIMEOUT_MS, options: COVERAGE }),
  runTests({ files: MEASURING, concurrency: 2, timeout: TIMEOUT_MS }),
  runTests({
    files: conformance,
    concurrency: 4,
    timeout: TIMEOUT_MS,
    options: ['--import=./scripts/use-dist.ts'],
  }),
];
process.exitCode = codes.find((code) => code !== 0) ?? 0;
