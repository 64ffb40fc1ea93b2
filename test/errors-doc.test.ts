/** docs/errors.md says of every refusal, end and error what is so in the code: nothing is missing, and nothing more. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CHANNEL_ENDS } from '../src/extras/channel-ends.ts';
import { ENDS } from '../src/protocol/ends.ts';
import { OCCUPIED } from '../src/protocol/frame.ts';
import { REFUSALS } from '../src/refusal.ts';
import { SockJSConnection, SockJSRouter } from '../src/index.ts';

type Row = readonly string[];

const TEXT = readFileSync('docs/errors.md', 'utf8');

/** The rows of the table that has these columns; the marks of code are taken off its cells. */
function table(...columns: string[]): Row[] {
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

/** What stands in the first columns, row by row. */
function firstOf(rows: readonly Row[], count: number): Row[] {
  return rows.map((row) => row.slice(0, count));
}

function assertSame(found: readonly Row[], expected: readonly Row[]): void {
  const order = (rows: readonly Row[]): string[] => rows.map((row) => row.join(' | ')).toSorted();
  assert.deepEqual(order(found), order(expected));
}

const AGAIN = new Set(['yes', 'later', 'no', 'as you like']);

function assertVerdicts(rows: readonly Row[], column: number): void {
  for (const row of rows) assert.ok(AGAIN.has(row[column] ?? ''), row.join(' | '));
}

const refusals = table('name', 'status', 'body', 'again', 'when, and who can mend it');

test('every refusal has its row, with its status and its text', () => {
  const expected = Object.entries(REFUSALS).map(([name, { status, text }]) => [
    name,
    String(status),
    text,
  ]);
  assertSame(firstOf(refusals, 3), expected);
});

test('a refusal says when to come again where Retry-After does, and only there', () => {
  for (const [name, , , again = ''] of refusals) {
    const refusal = Object.entries(REFUSALS).find(([known]) => known === name)?.[1];
    const headers: Readonly<Record<string, string>> = refusal?.headers ?? {};
    const seconds = headers['Retry-After'];
    if (seconds === undefined) assert.match(again, /^(no|at once|later)$/, name);
    else assert.equal(again, `${seconds} s`, name);
  }
});

test('every 503 and 429 of ours says when to come again', () => {
  for (const [name, refusal] of Object.entries(REFUSALS)) {
    const isBusy = refusal.status === 503 || refusal.status === 429;
    assert.equal(Object.hasOwn(refusal.headers, 'Retry-After'), isBusy, name);
  }
});

const ends = table('cause', 'code', 'reason', 'again', 'when');

test('every end of a session has its row, with its code and its reason', () => {
  const expected = Object.values(ENDS).map(({ cause, code, reason }) => [
    cause,
    String(code),
    reason,
  ]);
  assertSame(firstOf(ends, 3), expected);
  assertVerdicts(ends, 3);
});

test('every end has its cause as its name', () => {
  for (const [name, { cause }] of Object.entries(ENDS)) assert.equal(cause, name);
});

test('the codes for which a client should stop are those that say no', () => {
  const named = /stop for the codes ([\d, and]+):/.exec(TEXT)?.[1]?.match(/\d+/g) ?? [];
  const stopping = ends.filter(([, , , again]) => again === 'no').map(([, code]) => code);
  assert.deepEqual(new Set(named), new Set(stopping));
});

test('the causes are those that stats counts, and the names of refusals as well', () => {
  const { closed, refused } = new SockJSRouter(SockJSConnection, '/echo').stats.dump();
  const chosen = table('cause', 'code and reason');
  const causes = [...ends, ...chosen].map(([cause]) => [cause ?? '']);
  assertSame(
    causes,
    Object.keys(closed).map((cause) => [cause]),
  );
  assertSame(
    firstOf(refusals, 1),
    Object.keys(refused).map((name) => [name]),
  );
});

test('what close() says without arguments is said as it is', () => {
  const [, said = ''] =
    table('cause', 'code and reason').find(([cause]) => cause === 'application') ?? [];
  const source = readFileSync('src/connection.ts', 'utf8');
  const [, code, reason] = /close\(code = (\d+), reason = '([^']+)'\)/.exec(source) ?? [];
  assert.ok(said.includes(`${code} \`${reason}\` without arguments`), said);
});

/** The tables of close codes without a name: the frame for a second receiver, and what the client makes up. */
function unnamed(heading: string): Row[] {
  const section = TEXT.slice(TEXT.indexOf(heading));
  const rows = section.matchAll(/^\| (\d{4}) \| `([^`]+)` \| ([^|]+) \|/gm);
  return Array.from(rows, ([, code = '', reason = '', again = '']) => [code, reason, again]);
}

test('the frame for a second receiver has its row', () => {
  const [first] = unnamed('One close frame ends a request');
  assert.deepEqual(first?.slice(0, 2), [String(OCCUPIED.code), OCCUPIED.reason]);
});

test('every end of a channel has its row, with its code and its reason', () => {
  const rows = table('name', 'code', 'reason', 'again', 'when');
  const expected = Object.entries(CHANNEL_ENDS).map(([name, { code, reason }]) => [
    name,
    String(code),
    reason,
  ]);
  assertSame(firstOf(rows, 3), expected);
  assertVerdicts(rows, 3);
});

const CLIENT = globSync('node_modules/sockjs-client/lib/**/*.js')
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

test('what sockjs-client says by itself stands in its sources', () => {
  const rows = unnamed('## What sockjs-client says by itself');
  assert.ok(rows.length >= 8);
  for (const [code = '', reason = ''] of rows) {
    const [text = ''] = /^.*?(?=Error: http|$)/.exec(reason) ?? [];
    assert.ok(CLIENT.includes(`'${text}`), `nobody says ${text}`);
    assert.match(CLIENT, new RegExp(`\\b${code}\\b`));
  }
  // Those that it says in one go, with their codes.
  const together = [
    ...CLIENT.matchAll(/_close\((?:code \|\| )?(\d{4}), (?:reason \|\| )?'([^']+)'/g),
  ];
  for (const [, code, reason] of together) {
    assert.ok(
      rows.some(([known, text]) => known === code && text === reason),
      `${code} ${reason} has no row`,
    );
  }
  assert.ok(together.length >= 4);
});

test('every code of an error has its row', () => {
  const source = readFileSync('src/errors.ts', 'utf8');
  const codes = Array.from(source.matchAll(/^ {2}\| '(ERR_\w+)'/gm), ([, code = '']) => [code]);
  assert.ok(codes.length >= 6);
  assertSame(firstOf(table('code', 'what happened', 'what to do'), 1), codes);
});

test('every code of an error is thrown somewhere', () => {
  const sources = globSync('src/**/*.ts')
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  for (const [code = ''] of table('code', 'what happened', 'what to do')) {
    const uses = sources.split(`'${code}'`).length - 1;
    assert.ok(uses >= 2, `${code} is declared and never used`);
  }
});
