/** docs/security.md agrees with the code: each known attack has a test, and limits, settings and counters are correct. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { resolveSettings } from '../../src/api/settings.ts';
import { networkLimit } from '../../src/base/address-key.ts';

const TEXT = readFileSync('docs/security.md', 'utf8');
const SETTINGS = new Map<string, unknown>(Object.entries(resolveSettings({})));

/** Returns the rows of the table with these columns. */
function rowsBelow(...columns: string[]): string[][] {
  const start = TEXT.indexOf(`| ${columns.join(' | ')} |\n`);
  assert.ok(start >= 0, `there is no table of ${columns.join(', ')}`);
  const [table = ''] = TEXT.slice(start).split('\n\n', 1);
  const lines = table.trimEnd().split('\n').slice(2);
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** Files with one test for each row of the table of attacks. */
const ATTACK_TESTS =
  'test/security/{application-errors,forged-clients,hostile-input,hostile-pages,slow-clients,slow-decisions,websocket-codec}.test.ts';

test('every known attack has a test, and every test has a row', () => {
  const rows = rowsBelow('attack', 'mitigation').map(([attack]) => attack);
  const tests = globSync(ATTACK_TESTS)
    .flatMap((file) => Array.from(readFileSync(file, 'utf8').matchAll(/^test\('(.+?)', /gm)))
    .map(([, name]) => name);
  assert.equal(rows.length, 19);
  assert.deepEqual(new Set(rows), new Set(tests));
  assert.equal(tests.length, rows.length);
});

test('the table of default limits has the defaults', () => {
  const rows = rowsBelow('protection', 'setting', 'default', 'response');
  assert.ok(rows.length >= 10);
  for (const [, name = '', cell = ''] of rows) {
    const value = SETTINGS.get(name.replaceAll('`', ''));
    const expected = JSON.stringify(value);
    assert.equal(cell.replaceAll('`', '').replaceAll(/(?<=\d),(?=\d)/g, ''), expected, name);
  }
});

test('every setting and every counter in the tables exists', () => {
  const stats = new SockJSRouter(SockJSConnection, '/echo').stats.dump();
  for (const [settings = ''] of rowsBelow('setting', 'risk')) {
    const names = [...settings.matchAll(/`([a-z]\w+)/gi)].map(([, name]) => name ?? '');
    assert.ok(
      names.some((name) => SETTINGS.has(name)),
      settings,
    );
  }
  for (const [counters = ''] of rowsBelow('counter', 'grows because of')) {
    for (const [, counter = ''] of counters.matchAll(/`([\w.]+)`/g)) {
      const [group = '', name] = counter.split('.');
      const found: unknown = Reflect.get(stats, group);
      const value: unknown =
        name !== undefined && typeof found === 'object' && found !== null
          ? Reflect.get(found, name)
          : found;
      assert.equal(value, 0, counter);
    }
  }
});

test('the memory limits are computed from the defaults', () => {
  const of = (name: string): number => Number(SETTINGS.get(name));
  const KIBIBYTE = 1024;
  const format = (bytes: number, unit: number, digits: number): string =>
    (bytes / KIBIBYTE ** unit).toFixed(digits);
  const [socket, session, total] = [22 * KIBIBYTE, 64 * KIBIBYTE, of('maxTotalBufferedBytes')];
  const sessions = (count: number, unit: number, digits: number): string =>
    format(count * session, unit, digits);
  const buffered = `${format(of('maxBufferedBytesPerAddress'), 2, 0)} MiB for one address, ${format(total, 2, 0)} MiB in all`;
  const network = networkLimit(of('maxSessionsPerAddress'), of('maxSessions'));
  const pending = 448 * KIBIBYTE;
  for (const sum of [
    `10,000 × 64 KiB = ${sessions(of('maxSessionsPerAddress'), 2, 0)} MiB, over WebSockets ${format(of('maxSessionsPerAddress') * socket, 2, 0)} MiB`,
    `25,000 × 64 KiB = ${sessions(network, 3, 1)} GiB, over WebSockets ${format(network * socket, 2, 0)} MiB`,
    `100,000 × 64 KiB = ${sessions(of('maxSessions'), 3, 1)} GiB, over WebSockets ${format(of('maxSessions') * socket, 3, 1)} GiB`,
    `| ${buffered}, and as much again while buffers grow; ${format(of('maxMessageBytes'), 2, 0)} MiB each`,
    `| ${buffered}, then ${format(of('highWaterMark'), 1, 0)} KiB or one message each`,
    `448 KiB each: ${format(of('maxPendingDecisionsPerAddress') * pending, 2, 0)} MiB for one address, ${format(2 * of('maxPendingDecisions') * pending, 2, 0)} MiB in all`,
    `200 × (32 + 64) KiB = ${format(200 * (2 * 16_384 + session), 2, 1)} MiB`,
  ]) {
    assert.ok(TEXT.includes(sum), sum);
  }
});
