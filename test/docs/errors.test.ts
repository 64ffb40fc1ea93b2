/** docs/errors.md has every refusal, close reason and error code of the sources, and no others. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CHANNEL_CLOSE_REASONS } from '../../src/extras/channel-close-reasons.ts';
import { CLOSE_REASONS } from '../../src/base/close-reasons.ts';
import { OCCUPIED_FRAME } from '../../src/protocol/frame.ts';
import { REFUSALS } from '../../src/base/refusal.ts';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';

type Row = readonly string[];

const TEXT = readFileSync('docs/errors.md', 'utf8');

/** Returns the rows of the table with these columns, without the backticks around cells. */
function findTable(...columns: string[]): Row[] {
  const head = `| ${columns.join(' | ')} |\n`;
  const start = TEXT.indexOf(head);
  assert.ok(start >= 0, `there is no table ${head}`);
  assert.equal(TEXT.indexOf(head, start + 1), -1, `there are two tables ${head}`);
  const [body = ''] = TEXT.slice(start + head.length).split('\n\n', 1);
  return body
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
    );
}

/** Returns the first cells of each row. */
function firstCells(rows: readonly Row[], count: number): Row[] {
  return rows.map((row) => row.slice(0, count));
}

function assertSameRows(actual: readonly Row[], expected: readonly Row[]): void {
  const order = (rows: readonly Row[]): string[] => rows.map((row) => row.join(' | ')).toSorted();
  assert.deepEqual(order(actual), order(expected));
}

const RETRIES = new Set(['yes', 'later', 'no', 'optional']);

function assertRetries(rows: readonly Row[], column: number): void {
  for (const row of rows) assert.ok(RETRIES.has(row[column] ?? ''), row.join(' | '));
}

const refusals = findTable('name', 'status', 'body', 'retry', 'when', 'what to do');

test('every refusal has a row with its status and its body', () => {
  const expected = Object.entries(REFUSALS).map(([name, { status, text }]) => [
    name,
    String(status),
    text,
  ]);
  assertSameRows(firstCells(refusals, 3), expected);
});

test('the retry column has the seconds of Retry-After, and only those', () => {
  for (const [name, , , retry = ''] of refusals) {
    const refusal = Object.entries(REFUSALS).find(([known]) => known === name)?.[1];
    const headers: Readonly<Record<string, string>> = refusal?.headers ?? {};
    const seconds = headers['Retry-After'];
    if (seconds === undefined) assert.match(retry, /^(no|at once|later)$/, name);
    else assert.equal(retry, `${seconds} s`, name);
  }
});

test('every refusal with 503 or 429 has Retry-After, and no other has', () => {
  for (const [name, refusal] of Object.entries(REFUSALS)) {
    const isBusy = refusal.status === 503 || refusal.status === 429;
    assert.equal(Object.hasOwn(refusal.headers, 'Retry-After'), isBusy, name);
  }
});

const closes = findTable('cause', 'code', 'reason', 'retry', 'when');

test('every close reason has a row with its code and its text', () => {
  const expected = Object.values(CLOSE_REASONS).map(({ cause, code, reason }) => [
    cause,
    String(code),
    reason,
  ]);
  assertSameRows(firstCells(closes, 3), expected);
  assertRetries(closes, 3);
});

test('the name of a close reason is its cause', () => {
  for (const [name, { cause }] of Object.entries(CLOSE_REASONS)) assert.equal(cause, name);
});

test('the codes without reconnecting are those with `no` in the retry column', () => {
  const named =
    /Do not reconnect after the codes ([\d, and]+):/.exec(TEXT)?.[1]?.match(/\d+/g) ?? [];
  const final = closes.filter(([, , , retry]) => retry === 'no').map(([, code]) => code);
  assert.deepEqual(new Set(named), new Set(final));
});

test('the tables have the names that stats counts', () => {
  const { closed, refused } = new SockJSRouter(SockJSConnection, '/echo').stats.dump();
  const chosen = findTable('cause', 'code and reason');
  const causes = [...closes, ...chosen].map(([cause]) => [cause ?? '']);
  assertSameRows(
    causes,
    Object.keys(closed).map((cause) => [cause]),
  );
  assertSameRows(
    firstCells(refusals, 1),
    Object.keys(refused).map((name) => [name]),
  );
});

test('the defaults of close() are documented', () => {
  const [, documented = ''] =
    findTable('cause', 'code and reason').find(([cause]) => cause === 'application') ?? [];
  const source = readFileSync('src/api/connection.ts', 'utf8');
  const [, code, reason] = /close\(code = (\d+), reason = '([^']+)'\)/.exec(source) ?? [];
  assert.ok(documented.includes(`${code} \`${reason}\` without arguments`), documented);
});

/** Returns the rows of close codes without a name: the frame for a second receiver, and those of sockjs-client. */
function findUnnamedRows(heading: string): Row[] {
  const section = TEXT.slice(TEXT.indexOf(heading));
  const rows = section.matchAll(/^\| (\d{4}) \| `([^`]+)` \| ([^|]+) \|/gm);
  return Array.from(rows, ([, code = '', reason = '', retry = '']) => [code, reason, retry]);
}

test('the close frame for a second receiver has a row', () => {
  const [first] = findUnnamedRows('One close frame ends a request');
  assert.deepEqual(first?.slice(0, 2), [String(OCCUPIED_FRAME.code), OCCUPIED_FRAME.reason]);
});

test('every close reason of a channel has a row with its code and its text', () => {
  const rows = findTable('name', 'code', 'reason', 'retry', 'when');
  const expected = Object.entries(CHANNEL_CLOSE_REASONS).map(([name, { code, reason }]) => [
    name,
    String(code),
    reason,
  ]);
  assertSameRows(firstCells(rows, 3), expected);
  assertRetries(rows, 3);
});

const CLIENT = globSync('node_modules/sockjs-client/lib/**/*.js')
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

test('the close codes from sockjs-client are in its sources', () => {
  const rows = findUnnamedRows('## Close codes from sockjs-client');
  assert.ok(rows.length >= 8);
  for (const [code = '', reason = ''] of rows) {
    const [text = ''] = /^.*?(?=Error: http|$)/.exec(reason) ?? [];
    assert.ok(CLIENT.includes(`'${text}`), `sockjs-client does not contain ${text}`);
    assert.match(CLIENT, new RegExp(`\\b${code}\\b`));
  }
  // Calls with both a code and a reason.
  const calls = [...CLIENT.matchAll(/_close\((?:code \|\| )?(\d{4}), (?:reason \|\| )?'([^']+)'/g)];
  for (const [, code, reason] of calls) {
    assert.ok(
      rows.some(([known, text]) => known === code && text === reason),
      `${code} ${reason} has no row`,
    );
  }
  assert.ok(calls.length >= 4);
});

test('every error code has a row', () => {
  const source = readFileSync('src/base/errors.ts', 'utf8');
  const codes = Array.from(source.matchAll(/^ {2}\| '(ERR_\w+)'/gm), ([, code = '']) => [code]);
  assert.ok(codes.length >= 6);
  assertSameRows(firstCells(findTable('code', 'when', 'what to do'), 1), codes);
});

test('every error code is used', () => {
  const sources = globSync('src/**/*.ts')
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  for (const [code = ''] of findTable('code', 'when', 'what to do')) {
    const uses = sources.split(`'${code}'`).length - 1;
    assert.ok(uses >= 2, `${code} is declared and never used`);
  }
});
