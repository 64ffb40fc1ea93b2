/**
 * docs/content-security-policy.md, measured: each transport works under a policy that permits what its
 * row of the table says, and does not when any one source is taken away.
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
  readonly lacks: Permission | undefined;
  readonly address: string;
}

interface Place {
  readonly where: string;
  /** Of the server. */
  readonly origin: string;
  /** What the policy calls it. */
  readonly server: string;
  readonly socketServer: string;
}

const OTHER_ORIGIN = 'another origin';

function placesOf({ origin, otherOrigin }: PolicySite): Place[] {
  const named = (where: string, server: string): Place => {
    return { where, origin: server, server, socketServer: server.replace(/^http/, 'ws') };
  };
  return [
    named('its own origin', origin),
    { where: "its own origin, called 'self'", origin, server: "'self'", socketServer: "'self'" },
    named(OTHER_ORIGIN, otherOrigin),
  ];
}

/** The client tries all others everywhere. */
function isOffered(transport: string, where: string): boolean {
  return transport !== 'htmlfile' || where !== OTHER_ORIGIN;
}

/** At one place: for each transport a page with all that it needs, and pages that lack one source of it. */
function trialsAt({ where, origin, server, socketServer }: Place): Trial[] {
  return Array.from(needed(server, socketServer)).flatMap(([transport, permissions]) => {
    const lacking = isOffered(transport, where) ? permissions : [];
    return [undefined, ...lacking].map((lacks) => {
      const policy = policyOf(permissions.filter((permission) => permission !== lacks));
      const query = new URLSearchParams({ policy, transport, url: `${origin}/echo` });
      return { transport, where, lacks, address: `/policy-page.html?${query.toString()}` };
    });
  });
}

/** What the pages tell, in the order of the trials. */
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

/** WebKit, as CSP 3 has it, permits requests over HTTP where it permits WebSockets. */
function isSpare(engine: EngineName, { transport, lacks }: Trial): boolean {
  return engine === 'WebKit' && transport === 'websocket' && lacks?.[1].startsWith('http') === true;
}

/** What the page tells. */
function rightOutcome(engine: EngineName, trial: Trial): RegExp {
  const { transport, where, lacks } = trial;
  if (!isOffered(transport, where)) return /^closed 2000$/;
  if (lacks === undefined || isSpare(engine, trial)) return new RegExp(`^hello by ${transport}$`);
  return new RegExp(`^(?:silence|closed \\d+), forbidden by ${lacks[0]}(?:-elem)?$`);
}

const site = new PolicySite();
await site.start();
after(() => site.end());
const trials = placesOf(site).flatMap(trialsAt);
const outcomes = await Promise.all(ENGINES.map((engine) => outcomesIn(engine, site, trials)));

test('the table has every transport', () => {
  assert.deepEqual([...needed('', '').keys()], [...TRANSPORTS]);
});

for (const [index, engine] of ENGINES.entries()) {
  for (const [at, trial] of trials.entries()) {
    const { transport, where, lacks } = trial;
    const permitted = lacks === undefined ? 'all that it needs' : `all but ${lacks.join(' ')}`;
    test(`${engine}: ${transport}, ${where}, with ${permitted}`, () => {
      assert.match(outcomes[index]?.[at] ?? '', rightOutcome(engine, trial));
    });
  }
}
