/** Measures one engine, and declares a test for each check. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineName } from './engines.ts';
import { heads, recordedSection, sectionOf } from './matrix.ts';
import { measure } from './measure.ts';
import type { Check } from './measurement.ts';

function testChecks(where: string, checks: readonly Check[]): void {
  for (const { what, measured, expected } of checks)
    test(`${where}: ${what}`, () => assert.deepEqual(measured, expected));
}

export async function testEngine(engine: EngineName): Promise<void> {
  const measurement = await measure(engine);
  for (const { transport, origin, checks } of measurement.cells)
    testChecks(`${engine}: ${transport}, ${origin}`, checks);
  testChecks(engine, measurement.checks);
  test(`${engine}: docs/compatibility.md matches the measurement`, async () => {
    assert.equal(sectionOf(measurement), await recordedSection(engine));
    const { recorded, expected } = await heads();
    assert.equal(recorded, expected);
  });
}
