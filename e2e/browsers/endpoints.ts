/** Services under measurement, and the scenarios that the page runs against them. */
import type { Tab } from './engines.ts';
import { type Origin, TRANSPORTS, type Transport } from './measurement.ts';
import { Site, type MeasuredService, pageFiles } from './servers.ts';
import { TimeoutError, until } from '../../testkit/until.ts';

/** A server with services. */
export interface ServedSite {
  readonly origin: string;
  service(prefix: string): MeasuredService;
}

/** A service for one transport, with its origin as the page sees it. */
export interface Endpoint {
  readonly transport: Transport;
  readonly origin: Origin;
  readonly site: ServedSite;
  readonly prefix: string;
}

/** Result of a scenario of the page. */
export type Result = Readonly<Record<string, unknown>>;
type Step = readonly [scenario: string, url: string, transport: Transport];

export function isResult(value: unknown): value is Result {
  return typeof value === 'object' && value !== null;
}

async function runLanes(tab: Tab, lanes: readonly (readonly Step[])[]): Promise<Result[][]> {
  const results = await tab.evaluate(`runLanes(${JSON.stringify(lanes)})`);
  if (!Array.isArray(results)) throw new Error('The page returned no results.');
  return results.map((lane) => (Array.isArray(lane) ? lane.filter(isResult) : []));
}

/** Runs a scenario against all endpoints at the same time. */
export async function runEverywhere(
  tab: Tab,
  scenario: string,
  endpoints: readonly Endpoint[],
): Promise<(Result | undefined)[]> {
  const lanes = endpoints.map((endpoint) => [step(scenario, endpoint)]);
  return (await runLanes(tab, lanes)).map(([result]) => result);
}

/** Runs several scenarios against each endpoint, one endpoint of a site after the other. */
export async function runBySite(
  tab: Tab,
  names: readonly string[],
  endpoints: readonly Endpoint[],
): Promise<Map<Endpoint, Result[]>> {
  const sites = [...new Set(endpoints.map(({ site }) => site))];
  const lanes = sites.map((site) => endpoints.filter((endpoint) => endpoint.site === site));
  const steps = lanes.map((lane) =>
    lane.flatMap((endpoint) => names.map((scenario) => step(scenario, endpoint))),
  );
  const results = await runLanes(tab, steps);
  const entries = lanes.flatMap((lane, index) =>
    lane.map((endpoint, at): [Endpoint, Result[]] => {
      const start = at * names.length;
      return [endpoint, (results[index] ?? []).slice(start, start + names.length)];
    }),
  );
  return new Map(entries);
}

function step(scenario: string, { site, prefix, transport }: Endpoint): Step {
  return [scenario, site.origin + prefix, transport];
}

export function serviceOf({ site, prefix }: Endpoint): MeasuredService {
  return site.service(prefix);
}

/** Waits for the connections of all endpoints to close. @returns the number that are still open, for each endpoint */
export async function openConnections(endpoints: readonly Endpoint[]): Promise<number[]> {
  const count = (): number[] =>
    endpoints.map(serviceOf).map(({ opened, closings }) => opened - closings.length);
  try {
    await until(() => count().every((open) => open === 0), 'onClose');
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
  }
  return count();
}

/** @returns whether the client sent more than `/info` */
export function wasAttempted(endpoint: Endpoint): boolean {
  return serviceOf(endpoint).requests.some((path) => !path.startsWith('/info'));
}

/** Starts the server of the page, and one of another origin that allows the page at some services and refuses it at others. */
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
          // Its /info sends the client to a service that refuses the page.
          [`/redirected/${name}`, { allowedOrigins, baseUrl: `${away.origin}/behind/${name}` }],
          [`/behind/${name}`, {}],
        ]),
      ),
    );
    return await use(home, away);
  } finally {
    await Promise.all([home.kill(), away.kill()]);
  }
}
