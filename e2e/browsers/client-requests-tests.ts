/** Requests of the browser client across origins in one browser: cookies, token, headers, preflights, and refusals. */
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { after, before, suite, test } from 'node:test';
import type { TransportName } from '../../client/index.ts';
import { Refusal } from '../../src/index.ts';
import { until } from '../../testkit/until.ts';
import { type Browser, type EngineName, type Tab, openBrowser } from './engines.ts';
import { type Services, Site, pageFiles } from './servers.ts';

/** Last part of the path of the requests that receive, by transport. */
const RECEIVERS: Readonly<Record<TransportName, string>> = {
  websocket: 'websocket',
  'xhr-streaming': 'xhr_streaming',
  eventsource: 'eventsource',
  'xhr-polling': 'xhr',
};
const TRANSPORTS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'] as const;

/** One service for each transport of each case, so that their requests are apart. */
const CASES = ['include', 'same-origin', 'omit', 'token', 'headers', 'cross-site'] as const;
type Case = (typeof CASES)[number];

interface Sent {
  readonly method: string | undefined;
  readonly leaf: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
}

function servicesFor(allowedOrigins: string[]): Services {
  // The messages exceed the limit, so that each receiving request is followed by another one.
  const settings = { allowedOrigins, responseLimit: 4096, jsessionid: false };
  const unauthorized = { ...settings, authorize: () => new Refusal(401) };
  return new Map([
    ...CASES.flatMap((name) =>
      TRANSPORTS.map((transport) => [`/${name}/${transport}`, settings] as const),
    ),
    ...TRANSPORTS.map((transport) => [`/unauthorized/${transport}`, unauthorized] as const),
  ]);
}

export function testClientRequests(engine: EngineName): void {
  suite(`requests of the browser client across origins in ${engine}`, () => {
    let browser: Browser;
    let home: Site;
    let away: Site;
    let tab: Tab;

    async function run(name: string, args: readonly (readonly string[])[]): Promise<unknown[]> {
      const results = await tab.evaluate(`run(${JSON.stringify(name)}, ${JSON.stringify(args)})`);
      assert.ok(Array.isArray(results));
      return [...(results as unknown[])];
    }

    /** Exchanges messages over each transport. @returns the requests by transport */
    async function exchange(
      name: Case,
      options: object,
    ): Promise<readonly (readonly [TransportName, readonly Sent[]])[]> {
      const args = TRANSPORTS.map((transport) => [
        `${away.origin}/${name}/${transport}`,
        transport,
        JSON.stringify(options),
      ]);
      assert.deepEqual(await run('exchange', args), TRANSPORTS);
      return TRANSPORTS.map((transport) => [transport, requestsOf(name, transport)]);
    }

    function requestsOf(name: Case, transport: TransportName): Sent[] {
      const { incoming } = away.service(`/${name}/${transport}`);
      const sent = incoming.map(({ url = '', method, headers }): Sent => {
        const [path = '', query = ''] = url.split('?');
        return { method, headers, query, leaf: path.split('/').at(-1) ?? '' };
      });
      const receiver = RECEIVERS[transport];
      const isWebSocket = transport === 'websocket';
      const leaves = new Set(sent.map(({ leaf }) => leaf));
      assert.deepEqual(leaves, new Set(['info', receiver, ...(isWebSocket ? [] : ['xhr_send'])]));
      const receiving = sent.filter(
        ({ leaf, method }) => leaf === receiver && method !== 'OPTIONS',
      );
      if (isWebSocket) assert.equal(receiving.length, 1);
      else assert.ok(receiving.length > 1, `${receiving.length} receiving requests`);
      return sent;
    }

    /** Leaves the page for the same one of another host. */
    async function moveTo(host: string): Promise<void> {
      const page = home.origin.replace('127.0.0.1', host);
      const isThere = `location.origin === ${JSON.stringify(page)} && typeof run === "function"`;
      await tab.evaluate(`void (location.href = ${JSON.stringify(`${page}/client`)})`);
      // The page may change during the evaluation.
      await until(() => tab.evaluate(isThere).catch(() => false), 'the page');
    }

    before(async () => {
      home = new Site(await pageFiles());
      away = new Site();
      home.provide(new Map([['/websocket', {}]]));
      await Promise.all([home.start(), away.start()]);
      away.provide(servicesFor([home.origin, home.origin.replace('127.0.0.1', 'localhost')]));
      browser = await openBrowser(engine);
      tab = await browser.open(`${home.origin}/client`);
      await until(() => tab.evaluate('typeof run === "function"'), 'the page');
      await tab.evaluate('void (document.cookie = "visitor=1; path=/; SameSite=Lax")');
    });

    after(async () => {
      await browser.end();
      await Promise.all([home.kill(), away.kill()]);
    });

    test('credentials: include sends cookies of the site with every request', async () => {
      for (const [transport, sent] of await exchange('include', {}))
        for (const { headers, leaf } of sent)
          assert.equal(headers.cookie, 'visitor=1', `${transport} ${leaf}`);
    });

    for (const credentials of ['omit', 'same-origin'] as const) {
      test(`credentials: ${credentials} sends cookies with no request but a WebSocket's`, async () => {
        for (const [transport, sent] of await exchange(credentials, { credentials })) {
          for (const { headers, leaf } of sent) {
            const expected = leaf === 'websocket' ? 'visitor=1' : undefined;
            assert.equal(headers.cookie, expected, `${transport} ${leaf}`);
          }
        }
      });
    }

    test('the token is part of the opening request only, and causes no preflight', async () => {
      for (const [transport, sent] of await exchange('token', { token: 'täg&1' })) {
        assert.deepEqual(
          sent.filter(({ method }) => method === 'OPTIONS'),
          [],
        );
        const opening = sent.findIndex(({ leaf }) => leaf === RECEIVERS[transport]);
        for (const [index, { query, leaf }] of sent.entries()) {
          const expected = index === opening ? 'token=t%C3%A4g%261' : '';
          assert.equal(query, expected, `${transport} ${leaf}`);
        }
      }
    });

    test('headers of the page reach every request that can have some', async () => {
      const headers = { Authorization: 'Bearer secret', 'X-Client': 'yes' };
      for (const [transport, sent] of await exchange('headers', { headers })) {
        for (const { method, leaf, headers: all } of sent) {
          const isPlain = method === 'OPTIONS' || leaf === 'websocket' || leaf === 'eventsource';
          const expected = isPlain ? [undefined, undefined] : ['Bearer secret', 'yes'];
          assert.deepEqual([all.authorization, all['x-client']], expected, `${transport} ${leaf}`);
        }
        const preflights = new Set(
          sent.filter(({ method }) => method === 'OPTIONS').map(({ leaf }) => leaf),
        );
        const isPosting = transport === 'xhr-streaming' || transport === 'xhr-polling';
        const posted = transport === 'websocket' ? [] : ['xhr_send'];
        const expected = ['info', ...(isPosting ? [RECEIVERS[transport]] : []), ...posted];
        assert.deepEqual(preflights, new Set(expected));
      }
    });

    test('the page sees the status of a refusal, also if WebSockets are attempted first', async () => {
      const lists = ['xhr-streaming', 'xhr-polling', 'websocket xhr-streaming'];
      const args = lists.map((list) => [`${away.origin}/unauthorized/${list.split(' ')[0]}`, list]);
      const expected = {
        type: 'close',
        code: 1006,
        reason: 'HTTP 401',
        wasClean: false,
        status: 401,
      };
      assert.deepEqual(
        await run('fail', args),
        lists.map(() => expected),
      );
      for (const transport of TRANSPORTS) away.service(`/unauthorized/${transport}`).logger.take();
    });

    test('a page of another site sends the token, and no cookie with SameSite=Lax', async () => {
      await moveTo('localhost');
      for (const [transport, sent] of await exchange('cross-site', { token: 'secret' })) {
        assert.deepEqual(
          sent.filter(({ query }) => query === 'token=secret').map(({ leaf }) => leaf),
          [RECEIVERS[transport]],
        );
        for (const { headers, leaf } of sent)
          assert.equal(headers.cookie, undefined, `${transport} ${leaf}`);
      }
    });
  });
}
