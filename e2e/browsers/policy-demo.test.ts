/** The demo site, and the iframe page of its services, under the policies that they are sent with. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Program } from '../../test/examples/program.ts';
import { type Tab, openBrowser } from './engines.ts';
import { TRANSPORTS } from './measurement.ts';

const PAGES = ['', 'echo.html', 'chat.html', 'multiplex.html', 'stats.html'];

const site = new Program('index.ts');
const origin = `http://127.0.0.1:${await site.port()}`;
const browser = await openBrowser('Chromium');
after(async () => {
  await browser.end();
  site.kill('SIGTERM');
  await site.exited();
  assert.equal(site.stderr, '');
});

/** The sources that a policy permits, whatever the directive. */
async function sourcesOf(path: string): Promise<Set<string>> {
  const { headers } = await fetch(`${origin}/${path}`);
  const policy = headers.get('content-security-policy') ?? '';
  return new Set(policy.split(';').flatMap((text) => text.trim().split(/\s+/).slice(1)));
}

/** Runs the body of an asynchronous function in the page, within a deadline. */
function run(tab: Tab, body: string): Promise<unknown> {
  const late = `new Promise((resolve) => setTimeout(resolve, 10_000, 'nothing'))`;
  return tab.evaluate(`Promise.race([(async () => { ${body} })(), ${late}])`);
}

/** Gives the text of an element once it matches. */
const SEEN = `
  const seen = (selector, pattern) => new Promise((resolve) => {
    const look = () => {
      const text = document.querySelector(selector)?.textContent ?? '';
      if (pattern.test(text)) resolve(text);
      else requestAnimationFrame(look);
    };
    look();
  });`;

for (const path of PAGES) {
  test(`/${path} comes with a policy that permits nothing inline and, but for WebSockets, no other host`, async () => {
    const sources = await sourcesOf(path);
    assert.ok(sources.has("'self'"));
    for (const own of ["'self'", "'none'", 'ws:', 'wss:']) sources.delete(own);
    assert.deepEqual([...sources], []);
  });
}

for (const path of PAGES.slice(1)) {
  test(`/${path} connects, and nothing is forbidden to it`, async () => {
    const tab = await browser.open(`${origin}/${path}`);
    const status = await run(tab, `${SEEN} return seen('#connection output', /^Connected/);`);
    assert.equal(status, 'Connected by websocket');
    assert.deepEqual(await tab.errors(), []);
    await tab.close();
  });
}

for (const transport of TRANSPORTS) {
  test(`the echo page works by ${transport}, and nothing is forbidden to it`, async () => {
    const tab = await browser.open(`${origin}/echo.html?transport=${transport}`);
    const heard = await run(
      tab,
      `${SEEN}
      const status = await seen('#connection output', /^Connected/);
      document.querySelector('#text').value = 'hello';
      document.querySelector('#say').requestSubmit();
      await seen('#log p:nth-child(2)', /hello/);
      return status;`,
    );
    assert.equal(heard, `Connected by ${transport}`);
    assert.deepEqual(await tab.errors(), []);
    await tab.close();
  });
}

test("the iframe page's policy permits itself and one hash", async () => {
  const sources = await sourcesOf('echo/iframe.html');
  const [hash, ...others] = [...sources].filter((source) => source !== "'self'");
  assert.match(hash ?? '', /^'sha256-[A-Za-z0-9+/]{43}='$/);
  assert.deepEqual(others, []);
});

for (const [what, lines, right] of [
  ['an inline script', "script.text = 'window.ran = true';", 'script-src-elem forbids inline'],
  [
    "another host's script",
    "script.src = 'http://127.0.0.2:9/script.js';",
    'script-src-elem forbids http://127.0.0.2:9/script.js',
  ],
] as const) {
  test(`the iframe page's policy forbids ${what}`, async () => {
    const tab = await browser.open(`${origin}/echo/iframe.html`);
    assert.deepEqual(await tab.errors(), []);
    const outcome = await run(
      tab,
      `const script = document.createElement('script');
      ${lines}
      const forbidden = new Promise((resolve) => {
        addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
          resolve(effectiveDirective + ' forbids ' + blockedURI));
      });
      document.body.append(script);
      return (await forbidden) + (window.ran ? ', and it ran' : '');`,
    );
    assert.equal(outcome, right);
    const errors = await tab.errors();
    assert.match(errors.join('\n'), /Content Security Policy/);
    await tab.close();
  });
}
