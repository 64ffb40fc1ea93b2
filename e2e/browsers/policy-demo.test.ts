/** The demo site and the iframe page of its services under their content security policies. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { printedPort, startExample } from '../../test/examples/example.ts';
import { type Tab, openBrowser } from './engines.ts';
import { TRANSPORTS } from './measurement.ts';

const PAGES = ['', 'echo.html', 'chat.html', 'multiplex.html', 'stats.html'];

const site = startExample('index.ts');
const origin = `http://127.0.0.1:${await printedPort(site)}`;
const browser = await openBrowser('Chromium');
after(async () => {
  await browser.end();
  site.kill('SIGTERM');
  await site.exited();
  assert.equal(site.stderr, '');
});

/** Sources that the policy of a page allows in any directive. */
async function sourcesOf(path: string): Promise<Set<string>> {
  const { headers } = await fetch(`${origin}/${path}`);
  const policy = headers.get('content-security-policy') ?? '';
  return new Set(policy.split(';').flatMap((text) => text.trim().split(/\s+/).slice(1)));
}

/** Runs the body of an async function in the page, with a timeout. */
function run(tab: Tab, body: string): Promise<unknown> {
  const late = `new Promise((resolve) => setTimeout(resolve, 10_000, 'nothing'))`;
  return tab.evaluate(`Promise.race([(async () => { ${body} })(), ${late}])`);
}

/** Defines a function that waits for an element to match, and returns its text. */
const DEFINE_TEXT = `
  const textOf = (selector, pattern) => new Promise((resolve) => {
    const look = () => {
      const text = document.querySelector(selector)?.textContent ?? '';
      if (pattern.test(text)) resolve(text);
      else requestAnimationFrame(look);
    };
    look();
  });`;

for (const path of PAGES) {
  test(`/${path} has a policy that allows nothing inline, and no other host except for WebSockets`, async () => {
    const sources = await sourcesOf(path);
    assert.ok(sources.has("'self'"));
    for (const own of ["'self'", "'none'", 'ws:', 'wss:']) sources.delete(own);
    assert.deepEqual([...sources], []);
  });
}

for (const path of PAGES.slice(1)) {
  test(`/${path} connects without policy violations`, async () => {
    const tab = await browser.open(`${origin}/${path}`);
    const status = await run(
      tab,
      `${DEFINE_TEXT} return textOf('#connection output', /^Connected/);`,
    );
    assert.equal(status, 'Connected by websocket');
    assert.deepEqual(await tab.errors(), []);
    await tab.close();
  });
}

for (const transport of ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling']) {
  test(`the echo page works by ${transport} without policy violations`, async () => {
    const tab = await browser.open(`${origin}/echo.html?transport=${transport}`);
    const status = await run(
      tab,
      `${DEFINE_TEXT}
      const status = await textOf('#connection output', /^Connected/);
      document.querySelector('#text').value = 'hello';
      document.querySelector('#send').requestSubmit();
      await textOf('#log p:nth-child(2)', /hello/);
      return status;`,
    );
    assert.equal(status, `Connected by ${transport}`);
    assert.deepEqual(await tab.errors(), []);
    await tab.close();
  });
}

for (const transport of TRANSPORTS) {
  test(`sockjs-client works by ${transport} in a page of the demo without policy violations`, async () => {
    const tab = await browser.open(`${origin}/echo.html`);
    const echo = await run(
      tab,
      `const script = Object.assign(document.createElement('script'), { src: 'echo/sockjs.js' });
      const loaded = new Promise((resolve) => (script.onload = resolve));
      document.head.append(script);
      await loaded;
      const socket = new SockJS('/echo', null, { transports: ['${transport}'] });
      socket.onopen = () => socket.send('hello');
      const { data } = await new Promise((resolve) => (socket.onmessage = resolve));
      const { transport } = socket;
      socket.close();
      return data + ' by ' + transport;`,
    );
    assert.equal(echo, `hello by ${transport}`);
    assert.deepEqual(await tab.errors(), []);
    await tab.close();
  });
}

test('the policy of the iframe page allows its own origin and one hash', async () => {
  const sources = await sourcesOf('echo/iframe.html');
  const [hash, ...others] = [...sources].filter((source) => source !== "'self'");
  assert.match(hash ?? '', /^'sha256-[A-Za-z0-9+/]{43}='$/);
  assert.deepEqual(others, []);
});

for (const [name, lines, expected] of [
  ['an inline script', "script.text = 'window.ran = true';", 'script-src-elem blocks inline'],
  [
    "another host's script",
    "script.src = 'http://127.0.0.2:9/script.js';",
    'script-src-elem blocks http://127.0.0.2:9/script.js',
  ],
] as const) {
  test(`the policy of the iframe page blocks ${name}`, async () => {
    const tab = await browser.open(`${origin}/echo/iframe.html`);
    assert.deepEqual(await tab.errors(), []);
    const outcome = await run(
      tab,
      `const script = document.createElement('script');
      ${lines}
      const forbidden = new Promise((resolve) => {
        addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
          resolve(effectiveDirective + ' blocks ' + blockedURI));
      });
      document.body.append(script);
      return (await forbidden) + (window.ran ? ', and it ran' : '');`,
    );
    assert.equal(outcome, expected);
    const errors = await tab.errors();
    assert.match(errors.join('\n'), /Content Security Policy/);
    await tab.close();
  });
}
