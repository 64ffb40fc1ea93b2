/**
 * Measures all transports in one browser, from the same and from another origin. It only records values beside
 * their expectations, from which the tests and the matrix are made. No ability of a browser is assumed.
 */
import { conversationChecks, refusalChecks } from './checks.ts';
import { type Browser, type EngineName, openBrowser } from './engines.ts';
import {
  type Cell,
  type Check,
  type Measurement,
  type Origin,
  TRANSPORTS,
  type Transport,
} from './measurement.ts';
import {
  type Endpoint,
  isResult,
  runBySite,
  runEverywhere,
  serviceOf,
  openConnections,
  wasAttempted,
  withSites,
} from './endpoints.ts';
import type { Site } from './servers.ts';

const PLAIN_PAGE = '/';
const PAGE_WITH_DOMAIN = '/?document.domain';

const LATE_NOTICE = 'A client that loses its server notices it only when it sends.';
const LATE_SCRIPT =
  'A client that closes cannot abort its last request: the script arrives with the next heartbeat, and causes an error on the console.';

/** A browser reports no details of a script from another origin. */
const ERROR_OF_LATE_SCRIPT = /\b_jp\.\w+ is not a function|^Script error\.?$/;

/** Connections held at the same time. A browser opens six to a server, so two are left for sending. */
const MAX_HELD = 4;

function hasTransport(started: unknown): boolean {
  return isResult(started) && 'transport' in started;
}

const NOTHING_WORKS = { code: 2000, reason: 'All transports failed', wasClean: false };

function notOfferedCell({ transport, origin }: Endpoint, started: unknown): Cell {
  const check = {
    what: 'the client does not attempt it',
    measured: started,
    expected: NOTHING_WORKS,
  };
  return { transport, origin, outcome: 'not offered', remarks: [], checks: [check] };
}

/** Adds to a cell the failure without `document.domain`, and the error on the console. */
function withFailure(cell: Cell, started: unknown, errors: readonly string[]): Cell {
  const failure = {
    what: 'does not connect on a page that has not set document.domain',
    measured: started,
    expected: NOTHING_WORKS,
  };
  const reasons = errors.slice(0, 1).map((error) => `On a page without it: ${error}`);
  return { ...cell, remarks: [...reasons, ...cell.remarks], checks: [failure, ...cell.checks] };
}

interface Attempt {
  /** The transport of each client, or its close event. */
  readonly started: ReadonlyMap<Endpoint | undefined, unknown>;
  /** Endpoints to which the client sent more than `/info`. */
  readonly attempted: ReadonlySet<Endpoint>;
  readonly errors: readonly string[];
}

interface Findings {
  readonly checks: readonly Check[];
  readonly remarks: readonly string[];
}

class EngineMeasurement {
  readonly #browser: Browser;
  readonly #home: Site;
  readonly #away: Site;
  readonly #consoleErrors: string[] = [];
  readonly #logLines: string[] = [];

  constructor(browser: Browser, home: Site, away: Site) {
    this.#browser = browser;
    this.#home = home;
    this.#away = away;
  }

  async measure(engine: EngineName): Promise<Measurement> {
    const endpoints = TRANSPORTS.flatMap((transport) => [
      this.#endpointFor(transport, 'same origin'),
      this.#endpointFor(transport, 'other origin, allowed'),
    ]);
    const open = await this.#openCells(endpoints);
    const offered = new Set(
      open
        .filter(({ origin, outcome }) => origin !== 'same origin' && outcome !== 'not offered')
        .map(({ transport }) => transport),
    );
    const refused = await this.#refusedCells(offered);
    return {
      engine,
      version: this.#browser.version,
      cells: [...open, ...refused],
      checks: [
        { what: 'no error on the console', measured: this.#consoleErrors, expected: [] },
        { what: 'no warning in the log', measured: this.#logLines, expected: [] },
      ],
    };
  }

  #endpointFor(transport: Transport, origin: Origin): Endpoint {
    return origin === 'same origin'
      ? { transport, origin, site: this.#home, prefix: `/${transport}` }
      : { transport, origin, site: this.#away, prefix: `/allowed/${transport}` };
  }

  /** Transports that fail on a plain page are tried on a page that has set `document.domain`. */
  async #openCells(endpoints: readonly Endpoint[]): Promise<Cell[]> {
    const { started, attempted, errors } = await this.#attempt(endpoints);
    const isOpen = (endpoint: Endpoint): boolean => hasTransport(started.get(endpoint));
    const opened = endpoints.filter(isOpen);
    const failed = endpoints.filter((endpoint) => !isOpen(endpoint) && attempted.has(endpoint));
    const unattempted = endpoints.filter(
      (endpoint) => !isOpen(endpoint) && !attempted.has(endpoint),
    );
    const withDomain = await this.#workingCells(PAGE_WITH_DOMAIN, failed);
    return [
      ...unattempted.map((endpoint) => notOfferedCell(endpoint, started.get(endpoint))),
      ...(await this.#workingCells(PLAIN_PAGE, opened)),
      ...withDomain.map((cell, index) => withFailure(cell, started.get(failed[index]), errors)),
    ];
  }

  /** Opens each transport on a plain page. */
  async #attempt(endpoints: readonly Endpoint[]): Promise<Attempt> {
    const tab = await this.#browser.open(this.#home.origin + PLAIN_PAGE);
    const results = await runBySite(tab, ['connect'], endpoints);
    const started = new Map(
      endpoints.map((endpoint) => [endpoint, results.get(endpoint)?.[0]?.['started']]),
    );
    const attempted = new Set(endpoints.filter(wasAttempted));
    const errors = (await tab.errors()).filter((error) => !ERROR_OF_LATE_SCRIPT.test(error));
    await tab.close();
    // The browser would repeat a pending request to the restarted server.
    await openConnections(endpoints);
    await this.#restart();
    return { started, attempted, errors };
  }

  async #workingCells(page: string, endpoints: readonly Endpoint[]): Promise<Cell[]> {
    if (endpoints.length === 0) return [];
    const conversations = await this.#converse(page, endpoints);
    const endings = new Map<Endpoint, Findings>();
    const transports = [...new Set(endpoints.map(({ transport }) => transport))];
    for (let start = 0; start < transports.length; start += MAX_HELD) {
      const together = new Set(transports.slice(start, start + MAX_HELD));
      const held = endpoints.filter(({ transport }) => together.has(transport));
      // oxlint-disable-next-line no-await-in-loop -- it kills the servers that all endpoints share
      for (const [endpoint, found] of await this.#endings(page, held)) endings.set(endpoint, found);
    }
    return endpoints.map((endpoint) => {
      const found = [conversations.get(endpoint), endings.get(endpoint)];
      return {
        transport: endpoint.transport,
        origin: endpoint.origin,
        outcome: page === PLAIN_PAGE ? 'works' : 'works with document.domain',
        remarks: found.flatMap((findings) => findings?.remarks ?? []),
        checks: found.flatMap((findings) => findings?.checks ?? []),
      };
    });
  }

  /** Exchanges all texts, and closes from both sides. */
  async #converse(page: string, endpoints: readonly Endpoint[]): Promise<Map<Endpoint, Findings>> {
    const tab = await this.#browser.open(this.#home.origin + page);
    const results = await runBySite(tab, ['converse', 'closedByServer'], endpoints);
    await openConnections(endpoints);
    const errors = await tab.errors();
    await tab.close();
    const scriptErrors = errors.filter((error) => ERROR_OF_LATE_SCRIPT.test(error));
    this.#consoleErrors.push(...errors.filter((error) => !ERROR_OF_LATE_SCRIPT.test(error)));
    for (const { logger } of endpoints.map(serviceOf))
      this.#logLines.push(...logger.take().map(({ line }) => line));
    return new Map(
      endpoints.map((endpoint) => {
        const [conversation = {}, serverClose = {}] = results.get(endpoint) ?? [];
        const isLate = endpoint.transport === 'jsonp-polling' && scriptErrors.length > 0;
        const remarks = isLate ? [LATE_SCRIPT] : [];
        return [
          endpoint,
          { checks: conversationChecks(endpoint, conversation, serverClose), remarks },
        ];
      }),
    );
  }

  /** Ends without a close: of the server, the page and the tab. */
  async #endings(page: string, endpoints: readonly Endpoint[]): Promise<Map<Endpoint, Findings>> {
    const tab = await this.#browser.open(this.#home.origin + page);
    await runEverywhere(tab, 'hold', endpoints);
    await this.#restart();
    const lost = await runEverywhere(tab, 'lost', endpoints);
    const reconnected = await runEverywhere(tab, 'hold', endpoints);
    await tab.reload();
    const afterReload = await openConnections(endpoints);
    const last = await runEverywhere(tab, 'hold', endpoints);
    await tab.close();
    const afterClose = await openConnections(endpoints);
    return new Map(
      endpoints.map((endpoint, index) => {
        const started = { transport: endpoint.transport };
        const { byItself, ...loss } = lost[index] ?? {};
        const checks = [
          {
            what: 'the client notices that the server was killed, and a new client connects',
            measured: { ...loss, reconnected: reconnected[index] },
            expected: { closed: { code: 1006, wasClean: false }, reconnected: { started } },
          },
          {
            what: 'reloading the page calls onClose',
            measured: { ...reconnected[index], openConnections: afterReload[index] },
            expected: { started, openConnections: 0 },
          },
          {
            what: 'closing the tab calls onClose',
            measured: { ...last[index], openConnections: afterClose[index] },
            expected: { started, openConnections: 0 },
          },
        ];
        const remarks = byItself === false ? [LATE_NOTICE] : [];
        return [endpoint, { checks, remarks }];
      }),
    );
  }

  async #restart(): Promise<void> {
    await Promise.all([this.#home.kill(), this.#away.kill()]);
    await Promise.all([this.#home.start(), this.#away.start()]);
  }

  /** Refusals at `/info`, and at the transport of a client that has passed `/info`. */
  async #refusedCells(offered: ReadonlySet<Transport>): Promise<Cell[]> {
    await this.#restart();
    const tab = await this.#browser.open(this.#home.origin + PLAIN_PAGE);
    const origin = 'other origin, refused';
    const at = (folder: string): Endpoint[] =>
      TRANSPORTS.map((transport) => {
        return { transport, origin, site: this.#away, prefix: `/${folder}/${transport}` };
      });
    const atInfo = at('refused');
    const behindInfo = at('behind');
    const first = await runEverywhere(tab, 'converse', atInfo);
    const second = await runEverywhere(tab, 'converse', at('redirected'));
    await tab.close();
    return TRANSPORTS.map((transport, index) => {
      const isOffered = offered.has(transport);
      const checks = [
        ...refusalChecks('at /info', atInfo[index], first[index], { code: 1002, warnings: 1 }),
        ...refusalChecks('behind /info', behindInfo[index], second[index], {
          code: 2000,
          warnings: isOffered ? 1 : 0,
        }),
      ];
      return { transport, origin, outcome: 'refused', remarks: [], checks };
    });
  }
}

export function measure(engine: EngineName): Promise<Measurement> {
  return withSites(async (home, away) => {
    const browser = await openBrowser(engine);
    try {
      return await new EngineMeasurement(browser, home, away).measure(engine);
    } finally {
      await browser.end();
    }
  });
}
