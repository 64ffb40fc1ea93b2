/** Measures all engines and writes `docs/compatibility.md`, unless a check fails. */
import { ENGINES } from './engines.ts';
import { writeMatrix } from './matrix.ts';
import { measure } from './measure.ts';
import { type Measurement, isMet } from './measurement.ts';

function faults({ engine, cells, checks }: Measurement): string[] {
  const byCell = cells.flatMap(({ transport, origin, checks: own }) =>
    own.map((check) => ({ check, where: `${engine}: ${transport}, ${origin}` })),
  );
  return [...byCell, ...checks.map((check) => ({ check, where: engine }))]
    .filter(({ check }) => !isMet(check))
    .map(({ check, where }) => `${where}: ${check.what}: ${JSON.stringify(check.measured)}`);
}

const measurements: Measurement[] = [];
// oxlint-disable-next-line no-await-in-loop -- browsers that run at the same time disturb each other
for (const engine of ENGINES) measurements.push(await measure(engine));

const found = measurements.flatMap(faults);
if (found.length === 0) {
  await writeMatrix(measurements);
} else {
  process.stderr.write(`Nothing was written:\n${found.join('\n')}\n`);
  process.exitCode = 1;
}
