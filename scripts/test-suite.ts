/**
 * Runs one of the suites beside `npm test`. If a program that it needs is missing, it names the package to install and
 * fails. `--short` selects the short form of a suite that has one.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runTests } from './test-runner.ts';

interface Suite {
  readonly files: readonly string[];
  /** Required programs, and the Debian packages that contain them. */
  readonly needs: Readonly<Record<string, string>>;
}

const SUITES: Readonly<Record<string, Suite>> = {
  browsers: {
    files: ['e2e/browsers/**/*.test.ts', 'e2e/drop-in/**/*.test.ts'],
    needs: {
      chromium: 'chromium',
      'firefox-esr': 'firefox-esr',
      WebKitWebDriver: 'webkit2gtk-driver',
      Xvfb: 'xvfb',
    },
  },
  cluster: {
    files: ['e2e/cluster/**/*.test.ts'],
    needs: {
      haproxy: 'haproxy',
      'redis-server': 'redis-server',
      'nats-server': 'nats-server',
    },
  },
  imports: {
    files: ['import-matrix/*.test.ts'],
    needs: {},
  },
  proxies: {
    files: ['e2e/proxies/**/*.test.ts'],
    needs: {
      haproxy: 'haproxy',
      nginx: 'nginx',
      caddy: 'caddy',
      chromium: 'chromium',
      'rabbitmq-server': 'rabbitmq-server',
    },
  },
};

function isInstalled(program: string): boolean {
  // Servers are in sbin, which is not on every user's path.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function run({ files, needs }: Suite, form: 'long' | 'short'): number {
  const missing = Object.entries(needs).filter(([program]) => !isInstalled(program));
  if (missing.length > 0) {
    const programs = missing.map(([program]) => program).join(', ');
    const packages = missing.map(([, name]) => name).join(' ');
    console.error(`These tests need ${programs}: apt-get install ${packages}`);
    return 1;
  }
  return runTests({ files, concurrency: 2, timeout: 300_000, env: { TEST_FORM: form } });
}

const suite = SUITES[process.argv[2] ?? ''];
if (suite === undefined) {
  console.error(`Usage: node scripts/test-suite.ts ${Object.keys(SUITES).join('|')}`);
  process.exitCode = 2;
} else {
  process.exitCode = run(suite, process.argv.includes('--short') ? 'short' : 'long');
}
