/**
 * Drives one browser through everything that a transport has to do, from the same and from other
 * origins. Nothing is judged while it runs: what was measured stands beside what is expected, and the tests
 * and the matrix are made from that. Whatever a browser cannot do is found here and nowhere assumed.
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
  type Place,
  isResult,
  runBySite,
  runEverywhere,
  stationOf,
  stillOpen,
  wasTried,
  withSites,
} from './places.ts';
import type { Site } from './servers.ts';

const PLAIN_PAGE = '/';
const PAGE_WITH_DOMAIN = '/?document.domain';

const LEARNS_LATE = 'A client that is cut off from its server learns of it only when it sends.';
const LATE_SCRIPT =
  'A client that closes cannot abort its last request: the script comes with the next heartbeat, and leaves an error on the console.';

/** Of another origin's script no more is told. */
const ERROR_OF_LATE_SCRIPT = /\b_jp\.\w+ is not a function|^Script error\.?$/;

/** Of the six connections that browsers keep to a server at most these are held, and two are left to send. */
const HELD_TOGETHER = 4;

function hasTransport(started: unknown): boolean {
  return isResult(started) && 'transport' in started;
}

const NOTHING_WORKS = { code: 2000, reason: 'All transports failed', wasClean: false };

function notOfferedCell({ transport, origin }: Place, started: unknown): Cell {
  const check = { what: 'the client does not try it', measured: started, expected: NOTHING_WORKS };
  return { transport, origin, outcome: 'not offered', remarks: [], checks: [check] };
}

/** Why it needs `document.domain`: how it failed without, and what the console said then. */
function explained(cell: Cell, started: unknown, errors: readonly string[]): Cell {
  const failure = {
    what: 'does not connect on a page that has not set document.domain',
    measured: started,
    expected: NOTHING_WORKS,
  };
  const reasons = errors.slice(0, 1).map((error) => `On a page without it: ${error}`);
  return { ...cell, remarks: [...reasons, ...cell.remarks], checks: [failure, ...cell.checks] };
}

interface Attempt {
  /** The transport that a client has arrived at, or how it was closed. */
  readonly started: ReadonlyMap<Place | undefined, unknown>;
  /** Where the client came further than `/info`. */
  readonly tried: ReadonlySet<Place>;
  readonly errors: readonly string[];
}

interface Findings {
  readonly checks: readonly Check[];
  readonly remarks: readonly string[];
}

class Run {
  readonly #browser: Browser;
  readonly #home: Site;
  readonly #away: Site;
  readonly #consoleErrors: string[] = [];
  readonly #logged: string[] = [];

  constructor(browser: Browser, home: Site, away: Site) {
    this.#browser = browser;
    this.#home = home;
    this.#away = away;
  }

  async measure(engine: EngineName): Promise<Measurement> {
    const places = TRANSPORTS.flatMap((transport) => [
      this.#place(transport, 'same origin'),
      this.#place(transport, 'other origin, allowed'),
    ]);
    const open = await this.#openCells(places);
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
        { what: 'no warning in the log', measured: this.#logged, expected: [] },
      ],
    };
  }

  #place(transport: Transport, origin: Origin): Place {
    return origin === 'same origin'
      ? { transport, origin, site: this.#home, prefix: `/${transport}` }
      : { transport, origin, site: this.#away, prefix: `/allowed/${transport}` };
  }

  /** What fails on a plain page is tried on a page that has set `document.domain`. */
  async #openCells(places: readonly Place[]): Promise<Cell[]> {
    const { started, tried, errors } = await this.#attempt(places);
    const isOpen = (place: Place): boolean => hasTransport(started.get(place));
    const opened = places.filter(isOpen);
    const failed = places.filter((place) => !isOpen(place) && tried.has(place));
    const untried = places.filter((place) => !isOpen(place) && !tried.has(place));
    const withDomain = await this.#workingCells(PAGE_WITH_DOMAIN, failed);
    return [
      ...untried.map((place) => notOfferedCell(place, started.get(place))),
      ...(await this.#workingCells(PLAIN_PAGE, opened)),
      ...withDomain.map((cell, index) => explained(cell, started.get(failed[index]), errors)),
    ];
  }

  /** Who opens on a plain page, and what the console tells of the others. */
  async #attempt(places: readonly Place[]): Promise<Attempt> {
    const tab = await this.#browser.open(this.#home.origin + PLAIN_PAGE);
    const results = await runBySite(tab, ['connect'], places);
    const started = new Map(places.map((place) => [place, results.get(place)?.[0]?.['started']]));
    const tried = new Set(places.filter(wasTried));
    const errors = (await tab.errors()).filter((error) => !ERROR_OF_LATE_SCRIPT.test(error));
    await tab.close();
    // A request on its way would be sent again, to the server that comes after.
    await stillOpen(places);
    await this.#restart();
    return { started, tried, errors };
  }

  async #workingCells(page: string, places: readonly Place[]): Promise<Cell[]> {
    if (places.length === 0) return [];
    const conversations = await this.#converse(page, places);
    const endings = new Map<Place, Findings>();
    const transports = [...new Set(places.map(({ transport }) => transport))];
    for (let start = 0; start < transports.length; start += HELD_TOGETHER) {
      const together = new Set(transports.slice(start, start + HELD_TOGETHER));
      const held = places.filter(({ transport }) => together.has(transport));
      // oxlint-disable-next-line no-await-in-loop -- it kills the servers that all of them use
      for (const [place, found] of await this.#endings(page, held)) endings.set(place, found);
    }
    return places.map((place) => {
      const found = [conversations.get(place), endings.get(place)];
      return {
        transport: place.transport,
        origin: place.origin,
        outcome: page === PLAIN_PAGE ? 'works' : 'works with document.domain',
        remarks: found.flatMap((findings) => findings?.remarks ?? []),
        checks: found.flatMap((findings) => findings?.checks ?? []),
      };
    });
  }

  /** All that is said between a client and the server, and both ways to close. */
  async #converse(page: string, places: readonly Place[]): Promise<Map<Place, Findings>> {
    const tab = await this.#browser.open(this.#home.origin + page);
    const results = await runBySite(tab, ['talk', 'closedByServer'], places);
    await stillOpen(places);
    const errors = await tab.errors();
    await tab.close();
    const ofScripts = errors.filter((error) => ERROR_OF_LATE_SCRIPT.test(error));
    this.#consoleErrors.push(...errors.filter((error) => !ERROR_OF_LATE_SCRIPT.test(error)));
    for (const { logs } of places.map(stationOf))
      this.#logged.push(...logs.take().map(({ line }) => line));
    return new Map(
      places.map((place) => {
        const [talk = {}, farewell = {}] = results.get(place) ?? [];
        const isLate = place.transport === 'jsonp-polling' && ofScripts.length > 0;
        const remarks = isLate ? [LATE_SCRIPT] : [];
        return [place, { checks: conversationChecks(place, talk, farewell), remarks }];
      }),
    );
  }

  /** Ends that nobody announces: the server's, the page's and the tab's. */
  async #endings(page: string, places: readonly Place[]): Promise<Map<Place, Findings>> {
    const tab = await this.#browser.open(this.#home.origin + page);
    await runEverywhere(tab, 'hold', places);
    await this.#restart();
    const lost = await runEverywhere(tab, 'lost', places);
    const again = await runEverywhere(tab, 'hold', places);
    await tab.reload();
    const afterReload = await stillOpen(places);
    const last = await runEverywhere(tab, 'hold', places);
    await tab.close();
    const afterClose = await stillOpen(places);
    return new Map(
      places.map((place, index) => {
        const started = { transport: place.transport };
        const { byItself, ...loss } = lost[index] ?? {};
        const checks = [
          {
            what: 'the server is killed: the client learns of it, and a new one connects',
            measured: { ...loss, again: again[index] },
            expected: { closed: { code: 1006, wasClean: false }, again: { started } },
          },
          {
            what: 'the page is reloaded: onClose comes',
            measured: { ...again[index], stillOpen: afterReload[index] },
            expected: { started, stillOpen: 0 },
          },
          {
            what: 'the tab is closed: onClose comes',
            measured: { ...last[index], stillOpen: afterClose[index] },
            expected: { started, stillOpen: 0 },
          },
        ];
        const remarks = byItself === false ? [LEARNS_LATE] : [];
        return [place, { checks, remarks }];
      }),
    );
  }

  async #restart(): Promise<void> {
    await Promise.all([this.#home.kill(), this.#away.kill()]);
    await Promise.all([this.#home.start(), this.#away.start()]);
  }

  /** At `/info`, and, where that would let the client pass, at the transport itself. */
  async #refusedCells(offered: ReadonlySet<Transport>): Promise<Cell[]> {
    await this.#restart();
    const tab = await this.#browser.open(this.#home.origin + PLAIN_PAGE);
    const origin = 'other origin, refused';
    const at = (folder: string): Place[] =>
      TRANSPORTS.map((transport) => {
        return { transport, origin, site: this.#away, prefix: `/${folder}/${transport}` };
      });
    const atInfo = at('refused');
    const behindInfo = at('behind');
    const first = await runEverywhere(tab, 'talk', atInfo);
    const second = await runEverywhere(tab, 'talk', at('detour'));
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
      return await new Run(browser, home, away).measure(engine);
    } finally {
      await browser.end();
    }
  });
}
