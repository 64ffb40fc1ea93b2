/**
 * webpack-dev-server with `webSocketServer: 'sockjs'` in Chromium: in a new project, and in the same project after
 * `overrides` have replaced `sockjs` by the packed drop-in. `dist/` has to be built.
 */
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROOT, installProject, pack, run } from '../../test/package/project.ts';
import { Program, temporaryDirectory } from '../../testkit/process.ts';
import { freePorts } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';
import { type Browser, type Tab, openBrowser } from '../browsers/engines.ts';

const APP = fileURLToPath(new URL('app', import.meta.url));

/** Names under which the project has the versions of webpack-dev-server. */
const VERSIONS = ['webpack-dev-server', 'webpack-dev-server-4'] as const;

const PACKAGES = {
  webpack: '^5.113.0',
  'webpack-cli': '^6.0.1',
  'webpack-dev-server': '^5.2.7',
  'webpack-dev-server-4': 'npm:webpack-dev-server@^4.15.2',
};

const OVERLAY = '#webpack-dev-server-client-overlay';

const project = await temporaryDirectory({ after });
let browser: Browser;

before(async () => {
  browser = await openBrowser('Chromium');
});

after(() => browser.end());

function writeText(value: string): void {
  writeFileSync(join(project, 'src', 'text.js'), `export const text = ${value};\n`);
}

/** Starts the development server. @returns its origin */
async function serve(t: TestContext, version: string): Promise<string> {
  writeText("'first'");
  const [port] = await freePorts(1);
  const env = { PORT: String(port), WEBPACK_DEV_SERVER_PACKAGE: version };
  const webpack = join(project, 'node_modules', 'webpack', 'bin', 'webpack.js');
  const program = Program.node(webpack, ['serve'], { cwd: project, env });
  t.after(() => program.stop());
  await program.prints(/compiled successfully/);
  const origin = `http://127.0.0.1:${port}`;
  const script = await (await fetch(`${origin}/main.js`)).text();
  assert.ok(script.includes(`/node_modules/${version}/client/`), version);
  return origin;
}

async function untilTrue(tab: Tab, expression: string): Promise<void> {
  await until(() => tab.evaluate(expression), expression, { timeout: 20_000 });
}

async function untilText(tab: Tab, text: string): Promise<void> {
  await untilTrue(tab, `document.querySelector('#text').textContent === '${text}'`);
}

async function testPage(origin: string, transport: string): Promise<void> {
  writeText("'first'");
  const tab = await browser.open(`${origin}/?${transport}`);
  await untilText(tab, 'first');
  const path = transport === 'websocket' ? 'websocket' : 'xhr_streaming';
  await untilTrue(tab, `connections.some((url) => /\\/ws\\/\\d+\\/\\w+\\/${path}/.test(url))`);
  const connections = await tab.evaluate('connections.length');
  // Lost when the page is loaded again.
  await tab.evaluate('globalThis.isSamePage = true');

  writeText("'second'");
  await untilText(tab, 'second');
  writeText('');
  await untilTrue(
    tab,
    `document.querySelector('${OVERLAY}')?.contentDocument.body.innerText.includes('text.js')`,
  );
  writeText("'third'");
  await untilText(tab, 'third');
  await untilTrue(tab, `document.querySelector('${OVERLAY}') === null`);
  assert.equal(await tab.evaluate('globalThis.isSamePage'), true);
  assert.equal(await tab.evaluate('connections.length'), connections);
  await tab.close();
}

/** Fields of the project's `package.json`. The second one is what a user changes to switch. */
const MANIFESTS = {
  sockjs: async () => ({ dependencies: PACKAGES }),
  'sockjs-server-drop-in': async () => {
    const own = await pack(await temporaryDirectory({ after }));
    const dropIn = await pack(await temporaryDirectory({ after }), join(ROOT, 'drop-in'));
    return {
      dependencies: { ...PACKAGES, 'sockjs-server': `file:${own}` },
      overrides: { sockjs: `file:${dropIn}` },
    };
  },
} as const;

/** Returns the name of the package that a dependency of the project gets as `sockjs`. */
async function installedSockjs(dependency: string): Promise<string> {
  const cwd = join(project, 'node_modules', dependency);
  const { stdout } = await run(cwd, process.execPath, '-p', "require('sockjs/package.json').name");
  return stdout.trim();
}

for (const [implementation, manifest] of Object.entries(MANIFESTS)) {
  describe(implementation, () => {
    before(async () => {
      await installProject(project, await manifest());
      cpSync(APP, project, { recursive: true });
    });

    for (const version of VERSIONS) {
      test(`${version} over WebSocket and XHR streaming`, async (t) => {
        assert.equal(await installedSockjs(version), implementation);
        const origin = await serve(t, version);
        await testPage(origin, 'websocket');
        await testPage(origin, 'xhr-streaming');
      });
    }
  });
}
