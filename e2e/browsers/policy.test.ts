/**
 * The table of docs/content-security-policy.md: each transport works with the sources of its row, and fails without
 * any one of them.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ENGINES, type EngineName, openBrowser } from './engines.ts';
import { TRANSPORTS } from './measurement.ts';
import { PolicySite } from './policy-site.ts';
import { type Permission, needed, policyOf } from './policy-table.ts';

/** One page under one policy. */
interface Trial {
  readonly transport: string;
  readonly where: string;
  /** The permission that the policy leaves out. */
  readonly lacks: Permission | undefined;
  readonly address: string;
}

interface Endpoint {
  readonly where: string;
  /** Origin of the server. */
  readonly origin: string;
  /** Source of the server in the policy. */
  readonly server: string;
  readonly socketServer: string;
}

const OTHER_ORIGIN = 'another origin';

function endpointsOf({ origin, otherOrigin }: PolicySite): Endpoint[] {
  const named = (where: string, server: string): Endpoint => {
    return { where, origin: server, server, socketServer: server.replace(/^http/, 'ws') };
  };
  return [
    named('its own origin', origin),
    { where: "its own origin, called 'self'", origin, server: "'self'", socketServer: "'self'" },
    named(OTHER_ORIGIN, otherOrigin),
  ];
}

/** The client does not attempt htmlfile across origins. */
function isOffered(transport: string, where: string): boolean {
  return transport !== 'htmlfile' || where !== OTHER_ORIGIN;
}

/** Trials of one endpoint: for each transport a page with its whole row, and pages that lack one source of it. */
function trialsAt({ where, origin, server, socketServer }: Endpoint): Trial[] {
  return Array.from(needed(server, socketServer)).flatMap(([transport, permissions]) => {
    const lacking = isOffered(transport, where) ? permissions : [];
    return [undefined, ...lacking].map((lacks) => {
      const policy = policyOf(permissions.filter((permission) => permission !== lacks));
      const query = new URLSearchParams({ policy, transport, url: `${origin}/echo` });
      return { transport, where, lacks, address: `/policy-page.html?${query.toString()}` };
    });
  });
}

/** Outcomes of the pages, in the order of the trials. */
async function outcomesIn(
  engine: EngineName,
  site: PolicySite,
  trials: readonly Trial[],
): Promise<string[]> {
  const browser = await openBrowser(engine);
  try {
    const tab = await browser.open(site.origin);
    const addresses = JSON.stringify(trials.map(({ address }) => address));
    const outcomes = await tab.evaluate(`runPages(${addresses})`);
    assert.ok(Array.isArray(outcomes));
    return outcomes.map(String);
  } finally {
    await browser.end();
  }
}

/** WebKit allows HTTP requests to sources of WebSockets, as CSP 3 defines. */
function isRedundant(engine: EngineName, { transport, lacks }: Trial): boolean {
  return engine === 'WebKit' && transport === 'websocket' && lacks?.[1].startsWith('http') === true;
}

function expectedOutcome(engine: EngineName, trial: Trial): RegExp {
  const { transport, where, lacks } = trial;
  if (!isOffered(transport, where)) return /^closed 2000$/;
  if (lacks === undefined || isRedundant(engine, trial))
    return new RegExp(`^hello by ${transport}$`);
  return new RegExp(`^(?:timeout|closed \\d+), blocked by ${lacks[0]}(?:-elem)?$`);
}

const site = new PolicySite();
await site.start();
after(() => site.end());
const trials = endpointsOf(site).flatMap(trialsAt);
const outcomes = await Promise.all(ENGINES.map((engine) => outcomesIn(engine, site, trials)));

test('the table has every transport', () => {
  assert.deepEqual([...needed('', '').keys()], [...TRANSPORTS]);
});

for (const [index, engine] of ENGINES.entries()) {
  for (const [at, trial] of trials.entries()) {
    const { transport, where, lacks } = trial;
    const allowed = lacks === undefined ? 'its whole row' : `its row without ${lacks.join(' ')}`;
    test(`${engine}: ${transport}, ${where}, with ${allowed}`, () => {
      assert.match(outcomes[index]?.[at] ?? '', expectedOutcome(engine, trial));
    });
  }
}
