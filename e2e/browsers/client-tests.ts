/** The browser client in one browser: every transport, same origin and other origin, restarts, and page changes. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { TransportName } from '../../client/index.ts';
import { until } from '../../testkit/until.ts';
import { type Browser, type EngineName, type Tab, openBrowser } from './engines.ts';
import { CLOSE_STATUS, Site, type Services, pageFiles } from './servers.ts';
import { TEXTS } from './texts.ts';

const TRANSPORTS: readonly TransportName[] = [
  'websocket',
  'xhr-streaming',
  'eventsource',
  'xhr-polling',
];

function servicesWith(allowedOrigins: string[]): Services {
  return new Map(TRANSPORTS.map((name) => [`/${name}`, { allowedOrigins }]));
}

export function testClient(engine: EngineName): void {
  suite(`the browser client in ${engine}`, () => {
    let browser: Browser;
    let home: Site;
    let away: Site;
    let tab: Tab;

    const urlOf = (site: Site, transport: string): string => `${site.origin}/${transport}`;
    const endpoints = (): (readonly [url: string, transport: string])[] =>
      [home, away].flatMap((site) =>
        TRANSPORTS.map((transport) => [urlOf(site, transport), transport] as const),
      );

    async function run(name: string, args: readonly (readonly string[])[]): Promise<unknown[]> {
      const results = await tab.evaluate(`run(${JSON.stringify(name)}, ${JSON.stringify(args)})`);
      assert.ok(Array.isArray(results));
      return [...(results as unknown[])];
    }

    before(async () => {
      home = new Site(await pageFiles());
      away = new Site();
      home.provide(servicesWith([]));
      await Promise.all([home.start(), away.start()]);
      away.provide(
        new Map([
          ...servicesWith([home.origin]),
          ...TRANSPORTS.map((name) => [`/refused/${name}`, {}] as const),
        ]),
      );
      browser = await openBrowser(engine);
      tab = await browser.open(`${home.origin}/client`);
      await until(() => tab.evaluate('typeof run === "function"'), 'the page');
    });

    after(async () => {
      await browser.end();
      await Promise.all([home.kill(), away.kill()]);
    });

    test('every character, 500 messages and 1 MiB pass both ways on every transport and origin', async () => {
      const closed = { code: 4001, reason: 'done', wasClean: true, status: null };
      const results = await run('converse', endpoints());
      assert.deepEqual(
        results,
        endpoints().map(([, transport]) => ({ transport, differences: [0, 0, 0], closed })),
      );
      const expected = [...TEXTS.texts, ...TEXTS.numbers, TEXTS.large[0]?.repeat(4)];
      for (const [url] of endpoints()) {
        const { origin, pathname } = new URL(url);
        const service = (origin === home.origin ? home : away).service(pathname);
        assert.deepEqual(service.received, expected, url);
        await until(() => service.closings.length === 1, 'onClose');
        assert.equal(service.requests.filter((path) => path.includes('iframe')).length, 0);
      }
    });

    test('a close by the server has its code and reason', async () => {
      const expected = { ...CLOSE_STATUS, wasClean: true, status: null };
      const results = await run('closedByServer', endpoints());
      assert.deepEqual(
        results,
        endpoints().map(() => expected),
      );
    });

    test('a page that is not allowed gets no session', async () => {
      const refused = TRANSPORTS.map((name) => [`${away.origin}/refused/${name}`, name] as const);
      const results = await run('fail', refused);
      for (const [index, result] of results.entries()) {
        assert.equal(Reflect.get(Object(result), 'code'), 1006, JSON.stringify(result));
        const service = away.service(`/refused/${TRANSPORTS[index]}`);
        assert.equal(service.opened, 0);
        service.logger.take();
      }
    });

    test('after a restart of both servers, what was sent meanwhile arrives', async () => {
      assert.ok((await run('hold', endpoints())).every((result) => result === true));
      await Promise.all([home.kill(), away.kill()]);
      const sent = await run('lose', endpoints());
      assert.deepEqual(
        sent,
        endpoints().map(() => true),
      );
      await Promise.all([home.start(), away.start()]);
      assert.deepEqual(
        await run('restored', endpoints()),
        endpoints().map(() => ({ reconnected: true, data: 'meanwhile' })),
      );
    });

    test('a page that is left and visited again is connected', async () => {
      await tab.evaluate('void (window.mark = "kept")');
      await tab.evaluate('void (location.href = "/empty")');
      await until(async () => (await titleOf(tab)) === 'empty', 'the other page');
      const open = (site: Site): number =>
        TRANSPORTS.map((name) => site.service(`/${name}`)).reduce(
          (sum, { opened, closings }) => sum + opened - closings.length,
          0,
        );
      await until(() => open(home) + open(away) === 0, 'the end of the sessions of the page', {
        state: () => [open(home), open(away)],
      });
      await tab.evaluate('void history.back()');
      await until(async () => (await titleOf(tab))?.startsWith('The browser client'), 'the page');
      await until(() => tab.evaluate('typeof run === "function"'), 'the page');
      const isKept = (await tab.evaluate('window.mark ?? null')) === 'kept';
      assert.equal(await tab.evaluate('window.persisted'), isKept);
      // Firefox has no back/forward cache under remote control.
      assert.equal(isKept, engine !== 'Firefox', 'the page was in the back/forward cache');
      if (!isKept) await run('hold', endpoints());
      const echoes = endpoints().map(([url]) => [url, 'again']);
      assert.deepEqual(
        await run('echo', echoes),
        echoes.map(() => 'again'),
      );
    });
  });
}

async function titleOf(tab: Tab): Promise<string | undefined> {
  // The page may change during the evaluation.
  const title = await tab.evaluate('document.title').catch(() => undefined);
  return typeof title === 'string' ? title : undefined;
}
