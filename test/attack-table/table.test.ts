/** docs/security.md says what is so: each row of its table of attacks is a test, and its defaults are the defaults. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { resolveSettings } from '../../src/api/settings.ts';

const TEXT = readFileSync('docs/security.md', 'utf8');
const SETTINGS = new Map<string, unknown>(Object.entries(resolveSettings({})));

/** The rows below the head that begins with these columns. */
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

test('every row of the table of attacks is a test, and every test is a row', () => {
  const rows = rowsBelow('attack', 'what holds here').map(([attack]) => attack);
  const tests = globSync('test/attack-table/*.test.ts')
    .filter((file) => !file.endsWith('table.test.ts'))
    .flatMap((file) => Array.from(readFileSync(file, 'utf8').matchAll(/^test\('(.+?)', /gm)))
    .map(([, name]) => name);
  assert.equal(rows.length, 17);
  assert.deepEqual(new Set(rows), new Set(tests));
  assert.equal(tests.length, rows.length);
});

test('the defaults are shown as they are', () => {
  const rows = rowsBelow('protection', 'setting', 'default', 'answer');
  assert.ok(rows.length >= 10);
  for (const [, name = '', quoteForLog = ''] of rows) {
    const value = SETTINGS.get(name.replaceAll('`', ''));
    const expected = JSON.stringify(value);
    assert.equal(quoteForLog.replaceAll('`', '').replaceAll(/(?<=\d) (?=\d)/g, ''), expected, name);
  }
});

test('every setting and every counter that is named exists', () => {
  const stats = new SockJSRouter(SockJSConnection, '/echo').stats.dump();
  for (const [loosened = ''] of rowsBelow('setting', 'what it opens')) {
    const names = [...loosened.matchAll(/`([a-z]\w+)/gi)].map(([, name]) => name ?? '');
    assert.ok(
      names.some((name) => SETTINGS.has(name)),
      loosened,
    );
  }
  for (const [counters = ''] of rowsBelow('counter', 'when it grows')) {
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

test('the sums about memory are right', () => {
  const of = (name: string): number => Number(SETTINGS.get(name));
  const KIBIBYTE = 1024;
  const quoteForLog = (bytes: number, unit: number, digits: number): string =>
    (bytes / KIBIBYTE ** unit).toFixed(digits);
  const [session, total] = [22 * KIBIBYTE, of('maxTotalBufferedBytes')];
  for (const sum of [
    `10 000 × 22 KiB = ${quoteForLog(of('maxSessionsPerAddress') * session, 2, 0)} MiB`,
    `100 000 × 22 KiB = ${quoteForLog(of('maxSessions') * session, 3, 1)} GiB`,
    `| ${quoteForLog(total, 2, 0)} MiB, and as much again while buffers grow; ${quoteForLog(of('maxMessageBytes'), 2, 0)} MiB each`,
    `| ${quoteForLog(total, 2, 0)} MiB in all, then ${quoteForLog(of('highWaterMark'), 1, 0)} KiB or one message each`,
    `${total / of('maxMessageBytes')} of them fill`,
    `200 × (16 + 22) KiB = ${quoteForLog(200 * (16_384 + session), 2, 1)} MiB`,
  ]) {
    assert.ok(TEXT.includes(sum), sum);
  }
});
