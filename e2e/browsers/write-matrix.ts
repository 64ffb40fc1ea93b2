/** Measures all engines and writes `docs/compatibility.md` anew, unless something is not right. */
import { ENGINES } from './engines.ts';
import { writeMatrix } from './matrix.ts';
import { measure } from './measure.ts';
import { type Measurement, isRight } from './measurement.ts';

function faults({ engine, cells, checks }: Measurement): string[] {
  const places = cells.flatMap(({ transport, origin, checks: own }) =>
    own.map((check) => ({ check, where: `${engine}: ${transport}, ${origin}` })),
  );
  return [...places, ...checks.map((check) => ({ check, where: engine }))]
    .filter(({ check }) => !isRight(check))
    .map(({ check, where }) => `${where}: ${check.what}: ${JSON.stringify(check.measured)}`);
}

const measurements: Measurement[] = [];
// oxlint-disable-next-line no-await-in-loop -- browsers at the same time would disturb each other
for (const engine of ENGINES) measurements.push(await measure(engine));

const found = measurements.flatMap(faults);
if (found.length === 0) {
  await writeMatrix(measurements);
} else {
  process.stderr.write(`Nothing was written:\n${found.join('\n')}\n`);
  process.exitCode = 1;
}
