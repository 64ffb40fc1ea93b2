/** The table of events, with what was expected and what was measured. */
import { after } from 'node:test';

interface Row {
  readonly event: string;
  readonly expected: string;
  readonly measured: string;
}

const rows: Row[] = [];

/** The short form takes at most 2 minutes. */
export const IS_SHORT = process.env['TEST_FORM'] === 'short';

/** Adds a row to the table, which is printed after all tests. */
export function record(event: string, expected: string, measured: string): void {
  rows.push({ event, expected, measured });
}

after(() => {
  const lines = rows.map(
    ({ event, expected, measured }) => `| ${event} | ${expected} | ${measured} |`,
  );
  console.log(
    ['', '| event | expected | measured |', '| --- | --- | --- |', ...lines, ''].join('\n'),
  );
});
