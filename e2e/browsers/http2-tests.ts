/**
 * HTTP/2 in one browser: sockjs-client and the browser client with every transport, over TLS, on as few connections as
 * the browser allows.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { until } from '../../testkit/until.ts';
import { conversationChecks } from './checks.ts';
import { type Endpoint, type Result, openConnections, runBySite } from './endpoints.ts';
import { type Browser, type EngineName, type Tab, openBrowser } from './engines.ts';
import { Http2Site } from './http2-site.ts';
import { TRANSPORTS } from './measurement.ts';
import { CLOSE_STATUS, pageFiles } from './servers.ts';

/** htmlfile works in every browser on a page that has set `document.domain`. */
const PAGE = '/?document.domain';
const CLIENT_PAGE = '/client';

/** Transports of the browser client. */
const CLIENT_TRANSPORTS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'] as const;

/** Twice the number of connections that a browser opens to a host over HTTP/1.1. */
const MANY = Array.from({ length: 12 }, (_, index) => `/many/${index}`);

const PREFIXES = [...TRANSPORTS.map((name) => `/${name}`), ...MANY];

export interface Http2Ability {
  /** Opens WebSockets by extended CONNECT, on the connection of the page. */
  readonly extendedConnect: boolean;
  /** Sends all requests of a page over one connection. */
  readonly oneConnection: boolean;
  /** Ends a response that is being received when its connection is reset. */
  readonly endsResponses: boolean;
}

export function testHttp2(engine: EngineName, ability: Http2Ability): void {
  suite(`HTTP/2 in ${engine}`, () => {
    let browser: Browser;
    let site: Http2Site;

    before(async () => {
      browser = await openBrowser(engine);
    });

    after(async () => {
      await browser.end();
    });

    async function startSite(enableConnectProtocol: boolean): Promise<void> {
      site = new Http2Site(await pageFiles(), PREFIXES, { enableConnectProtocol });
      await site.start();
    }

    /** Uses all transports at the same time, if one connection has the streams of all of them. */
    async function converse(tab: Tab): Promise<Map<Endpoint, Result[]>> {
      const scenarios = ['converse', 'closedByServer'];
      const endpoints = TRANSPORTS.map((transport): Endpoint => {
        return { transport, origin: 'same origin', site, prefix: `/${transport}` };
      });
      if (!ability.oneConnection) return runBySite(tab, scenarios, endpoints);
      const all = new Map<Endpoint, Result[]>();
      const converseOn = async (endpoint: Endpoint): Promise<void> => {
        const results = await runBySite(tab, scenarios, [endpoint]);
        all.set(endpoint, results.get(endpoint) ?? []);
      };
      await Promise.all(endpoints.map(converseOn));
      return all;
    }

    const clientUrls = (): (readonly [url: string, transport: string])[] =>
      CLIENT_TRANSPORTS.map((name) => [`${site.origin}/${name}`, name]);

    async function openClientPage(): Promise<Tab> {
      const tab = await browser.open(site.origin + CLIENT_PAGE);
      await until(() => tab.evaluate('typeof run === "function"'), 'the page');
      return tab;
    }

    function run(tab: Tab, name: string, args: readonly (readonly string[])[]): Promise<unknown> {
      return tab.evaluate(`run(${JSON.stringify(name)}, ${JSON.stringify(args)})`);
    }

    /** @param webSockets number of WebSockets that the page has opened */
    function assertConnections(webSockets: number): void {
      if (ability.oneConnection) assert.equal(site.http2.size, 1);
      else assert.ok(site.http2.size >= 1);
      assert.equal(site.http1, ability.extendedConnect ? 0 : webSockets);
    }

    function assertNoWarnings(): void {
      for (const { logger } of site.services) logger.assertNoProblems();
    }

    suite('with enableConnectProtocol', () => {
      before(() => startSite(true));
      after(() => site.kill());

      test('sockjs-client converses on every transport, and both sides close', async () => {
        const tab = await browser.open(site.origin + PAGE);
        const results = await converse(tab);
        await openConnections([...results.keys()]);
        for (const [endpoint, [conversation = {}, serverClose = {}]] of results) {
          for (const check of conversationChecks(endpoint, conversation, serverClose)) {
            const { what, measured, expected } = check;
            assert.deepEqual(measured, expected, `${endpoint.transport}: ${what}`);
          }
        }
        assertConnections(2);
        assertNoWarnings();
        await tab.close();
      });
    });

    suite('with the browser client', () => {
      let tab: Tab;

      before(async () => {
        await startSite(true);
        tab = await openClientPage();
      });
      after(() => site.kill());

      test('every character, 500 messages and 1 MiB pass both ways on every transport', async () => {
        const closed = { code: 4001, reason: 'done', wasClean: true, status: null };
        assert.deepEqual(
          await run(tab, 'converse', clientUrls()),
          CLIENT_TRANSPORTS.map((transport) => {
            return { transport, differences: [0, 0, 0], closed };
          }),
        );
        const expected = { ...CLOSE_STATUS, wasClean: true, status: null };
        assert.deepEqual(
          await run(tab, 'closedByServer', clientUrls()),
          CLIENT_TRANSPORTS.map(() => expected),
        );
        assertConnections(2);
      });

      test('a page has 12 streaming sessions', async () => {
        const many = MANY.map((prefix, index) => {
          return [
            site.origin + prefix,
            ability.oneConnection && index % 2 === 0 ? 'xhr-streaming' : 'eventsource',
          ];
        });
        assert.deepEqual(
          await run(tab, 'hold', many),
          many.map(() => true),
        );
        const open = MANY.map((prefix) => site.service(prefix).router.stats.dump());
        assert.deepEqual(
          open.map(({ connectionsActive }) => connectionsActive),
          many.map(() => 1),
        );
        assert.deepEqual(
          await run(
            tab,
            'echo',
            many.map(([url = ''], index) => [url, `hello ${index}`]),
          ),
          many.map((_, index) => `hello ${index}`),
        );
        assertConnections(2);
      });

      test('a page that is reloaded ends its sessions', async () => {
        await run(tab, 'hold', clientUrls());
        await tab.reload();
        const count = (): number =>
          site.services.reduce((sum, { opened, closings }) => sum + opened - closings.length, 0);
        await until(() => count() === 0, 'the end of the sessions', { state: count });
        await until(() => tab.evaluate('typeof run === "function"'), 'the page');
        assertConnections(3);
      });

      test('after a restart of the server, what was sent meanwhile arrives', async () => {
        // The server sends a heartbeat every 2 s.
        const options = JSON.stringify(ability.endsResponses ? {} : { heartbeatTimeout: 4000 });
        await run(
          tab,
          'hold',
          clientUrls().map(([url, transport]) => [url, transport, options]),
        );
        await site.kill();
        assert.deepEqual(
          await run(tab, 'lose', clientUrls()),
          CLIENT_TRANSPORTS.map(() => true),
        );
        await site.start();
        assert.deepEqual(
          await run(tab, 'restored', clientUrls()),
          CLIENT_TRANSPORTS.map(() => ({ reconnected: true, data: 'meanwhile' })),
        );
        assertConnections(1);
        assertNoWarnings();
      });
    });

    suite('without enableConnectProtocol', () => {
      before(() => startSite(false));
      after(() => site.kill());

      test('WebSockets open over HTTP/1.1, and one warning is logged', async () => {
        const tab = await openClientPage();
        const twice = [`${site.origin}/websocket`, `${site.origin}/xhr-polling`].map((url) => {
          return [url, 'websocket'];
        });
        assert.deepEqual(
          await run(tab, 'hold', [...twice, [`${site.origin}/eventsource`, 'eventsource']]),
          [true, true, true],
        );
        assert.equal(site.http1, 2);
        assert.ok(site.http2.size >= 1);
        const lines = site.services.flatMap(({ logger }) => logger.take()).map(({ line }) => line);
        assert.equal(lines.length, 1, lines.join('\n'));
        assert.match(lines[0] ?? '', /second connection.*enableConnectProtocol: true/);
        await tab.close();
      });
    });
  });
}
