/** Runs scenarios on both sides, and compares their observations. */
import { isDeepStrictEqual } from 'node:util';
import { type Transport, WEBSOCKET } from '../../testkit/transports.ts';
import type { Difference, Json, Observations, Scenario } from './scenario.ts';
import { DROP_IN, ORIGINAL, type Side } from './sides.ts';
import { Stage } from './stage.ts';

/** Runs of one scenario over one transport, on both sides. */
export interface Comparison {
  readonly original: Observations;
  readonly dropIn: Observations;
  /** Rows of the table "Differences" that the runs show. */
  readonly shown: readonly string[];
  /** One line for each observation that differs and should not, or that does not differ as documented. */
  readonly problems: readonly string[];
}

async function observe(
  scenario: Scenario,
  side: Side,
  transport: Transport,
): Promise<Observations> {
  const stage = new Stage(side, transport);
  try {
    // A copy, since lists of events may grow until the end of the run.
    return structuredClone(await scenario.run(stage));
  } finally {
    await stage.close();
  }
}

const MISSING = 'no observation';

/** Compares the observations of both sides. */
export function problemsOf(
  original: Observations,
  dropIn: Observations,
  differences: readonly Difference[],
): string[] {
  const problems: string[] = [];
  const documented = new Set<string>();
  const check = (side: Side, key: string, actual: Json, expected: Json): void => {
    if (isDeepStrictEqual(actual, expected)) return;
    problems.push(
      `${key} of the ${side.name} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)} as documented`,
    );
  };
  for (const difference of differences) {
    for (const key of Object.keys({ ...difference.original, ...difference.dropIn })) {
      documented.add(key);
      const expected = difference.original[key] ?? MISSING;
      const other = difference.dropIn[key] ?? MISSING;
      if (isDeepStrictEqual(expected, other))
        problems.push(`${key} is documented as different, and is the same`);
      check(ORIGINAL, key, original[key] ?? MISSING, expected);
      check(DROP_IN, key, dropIn[key] ?? MISSING, other);
    }
  }
  for (const key of new Set([...Object.keys(original), ...Object.keys(dropIn)])) {
    const [first, second] = [original[key] ?? MISSING, dropIn[key] ?? MISSING];
    if (documented.has(key) || isDeepStrictEqual(first, second)) continue;
    problems.push(
      `${key} of the original is ${JSON.stringify(first)}, that of the drop-in ${JSON.stringify(second)}`,
    );
  }
  return problems;
}

async function compareOver(scenario: Scenario, transport: Transport): Promise<Comparison> {
  const { differences = [] } = scenario;
  const here = differences.filter(({ on }) => on?.includes(transport) ?? true);
  const [original, dropIn] = await Promise.all([
    observe(scenario, ORIGINAL, transport),
    observe(scenario, DROP_IN, transport),
  ]);
  const problems = problemsOf(original, dropIn, here);
  return { original, dropIn, shown: here.map(({ row }) => row), problems };
}

export interface Run {
  /** Title of the scenario, with the transport if there are several. */
  readonly title: string;
  readonly run: () => Promise<Comparison>;
}

/** Returns the runs of a scenario, one for each of its transports. */
export function runsOf(scenario: Scenario): Run[] {
  const { title, transports } = scenario;
  return (transports ?? [WEBSOCKET]).map((transport) => ({
    title: transports === undefined ? title : `${title} (${transport.name})`,
    run: async () => compareOver(scenario, transport),
  }));
}
