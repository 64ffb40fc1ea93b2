/** Where transports are tried, and how the page is made to try them. */
import type { Tab } from './engines.ts';
import { type Origin, TRANSPORTS, type Transport } from './measurement.ts';
import { Site, type Station, pageFiles } from './servers.ts';
import { until } from '../../testkit/until.ts';

/** Where a transport is tried: a service, seen from the page. */
export interface Place {
  readonly transport: Transport;
  readonly origin: Origin;
  readonly site: Site;
  readonly prefix: string;
}

/** What a scenario of the page gives. */
export type Result = Readonly<Record<string, unknown>>;
type Step = readonly [scenario: string, url: string, transport: Transport];

export function isResult(value: unknown): value is Result {
  return typeof value === 'object' && value !== null;
}

async function runLanes(tab: Tab, lanes: readonly (readonly Step[])[]): Promise<Result[][]> {
  const results = await tab.evaluate(`runLanes(${JSON.stringify(lanes)})`);
  if (!Array.isArray(results)) throw new Error('The page gave no results.');
  return results.map((lane) => (Array.isArray(lane) ? lane.filter(isResult) : []));
}

/** The same scenario everywhere, side by side. */
export async function runEverywhere(
  tab: Tab,
  scenario: string,
  places: readonly Place[],
): Promise<(Result | undefined)[]> {
  const lanes = places.map((place) => [step(scenario, place)]);
  return (await runLanes(tab, lanes)).map(([result]) => result);
}

/** Several scenarios at each place; the places of a site take turns. */
export async function runBySite(
  tab: Tab,
  names: readonly string[],
  places: readonly Place[],
): Promise<Map<Place, Result[]>> {
  const sites = [...new Set(places.map(({ site }) => site))];
  const lanes = sites.map((site) => places.filter((place) => place.site === site));
  const steps = lanes.map((lane) =>
    lane.flatMap((place) => names.map((scenario) => step(scenario, place))),
  );
  const results = await runLanes(tab, steps);
  const entries = lanes.flatMap((lane, index) =>
    lane.map((place, at): [Place, Result[]] => {
      const start = at * names.length;
      return [place, (results[index] ?? []).slice(start, start + names.length)];
    }),
  );
  return new Map(entries);
}

function step(scenario: string, { site, prefix, transport }: Place): Step {
  return [scenario, site.origin + prefix, transport];
}

export function stationOf({ site, prefix }: Place): Station {
  return site.station(prefix);
}

/** How many connections each service has open, once there are none or it has taken too long. */
export async function stillOpen(places: readonly Place[]): Promise<number[]> {
  const count = (): number[] =>
    places.map(stationOf).map(({ opened, closings }) => opened - closings.length);
  await until(() => count().every((open) => open === 0), 'onClose').catch(() => undefined);
  return count();
}

/** Whether the client came further than `/info`. */
export function wasTried(place: Place): boolean {
  return stationOf(place).requests.some((path) => !path.startsWith('/info'));
}

/** The page's own server, and another that admits it at some services and refuses it at others. */
export async function withSites<T>(use: (home: Site, away: Site) => Promise<T>): Promise<T> {
  const home = new Site(await pageFiles());
  const away = new Site();
  await Promise.all([home.start(), away.start()]);
  try {
    home.provide(new Map(TRANSPORTS.map((name) => [`/${name}`, {}])));
    const allowedOrigins = [home.origin];
    away.provide(
      new Map(
        TRANSPORTS.flatMap((name) => [
          [`/allowed/${name}`, { allowedOrigins }],
          [`/refused/${name}`, {}],
          // Its /info sends the client on to a service that refuses the page.
          [`/detour/${name}`, { allowedOrigins, baseUrl: `${away.origin}/behind/${name}` }],
          [`/behind/${name}`, {}],
        ]),
      ),
    );
    return await use(home, away);
  } finally {
    await Promise.all([home.kill(), away.kill()]);
  }
}
