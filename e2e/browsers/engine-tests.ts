/** Measures one engine, and makes a test of everything that was measured. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineName } from './engines.ts';
import { heads, recordedSection, sectionOf } from './matrix.ts';
import { measure } from './measure.ts';
import type { Check } from './measurement.ts';

function testEach(where: string, checks: readonly Check[]): void {
  for (const { what, measured, expected } of checks)
    test(`${where}: ${what}`, () => assert.deepEqual(measured, expected));
}

export async function testEngine(engine: EngineName): Promise<void> {
  const measurement = await measure(engine);
  for (const { transport, origin, checks } of measurement.cells)
    testEach(`${engine}: ${transport}, ${origin}`, checks);
  testEach(engine, measurement.checks);
  test(`${engine}: docs/compatibility.md says what was measured`, async () => {
    assert.equal(sectionOf(measurement), await recordedSection(engine));
    const { recorded, expected } = await heads();
    assert.equal(recorded, expected);
  });
}
