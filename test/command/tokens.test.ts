import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { tokenize } from '../../command/migrate/tokens.ts';

function texts(source: string): string[] {
  return tokenize(source).tokens.map(({ text }) => text);
}

function strings(source: string): string[] {
  return tokenize(source)
    .tokens.filter(({ kind }) => kind === 'string')
    .map(({ text }) => text);
}

function regexps(source: string): string[] {
  return tokenize(source)
    .tokens.filter(({ kind }) => kind === 'regexp')
    .map(({ text }) => text);
}

test('comments, the line of a shell and a byte order mark are no tokens', () => {
  const source = `\ufeff#!/usr/bin/env node 'a'\n// 'b'\r\nx /* 'c'\n */ 'd'`;
  assert.deepEqual(texts(source), ['x', "'d'"]);
  assert.deepEqual(texts("\u00ef\u00bb\u00bfimport 'a'"), ['import', "'a'"]);
});

test('a string may have escapes, quotes of the other kind, and lines that continue', () => {
  for (const text of [String.raw`'a\'b'`, `"it's"`, "'a\\\nb'", "'a\\\r\nb'", String.raw`'\\'`])
    assert.deepEqual(strings(`f(${text})`), [text]);
});

test('a quote without its counterpart on the line is no string', () => {
  assert.deepEqual(strings("<p>Don't</p>; f('a')\nf('b')"), ["'t</p>; f('", "'b'"]);
  assert.deepEqual(strings("<p>Don't</p>; f(\"a\")\nf('b')"), ['"a"', "'b'"]);
});

test('a template without substitutions is a string, and substitutions are code', () => {
  assert.deepEqual(strings('f(`a\n"b"`)'), ['`a\n"b"`']);
  assert.deepEqual(strings("`'a' ${f({ x: 'b' })} 'c' ${`${'d'}`}` + 'e'"), ["'b'", "'d'", "'e'"]);
});

for (const source of [
  'x = /[\'"]/g',
  "export default /'/",
  "return /[/']/",
  "if (a) /'/.test(b)",
  "{ } /'/.test(b)",
  "f(/\\/'/)",
  "case /'/:",
  "() => /'/",
  "`${/'/}`",
  "x = /'/\n/2",
]) {
  test(`${JSON.stringify(source)} has a regular expression`, () => {
    assert.equal(regexps(source).length, 1);
    assert.deepEqual(strings(source), []);
  });
}

for (const source of [
  'a / 1 + "b" / c',
  '(a) / "b" / c',
  'a[0] / "b" / c',
  'a++ / "b" / c',
  '({}) / "b" / c',
  'x = {} / "b" / c',
  '1. / "b" / c',
  '`${a}` / "b" / c',
  'a.return / "b" / c',
  '<p>x</p>, "b", <i>y</i>',
  '<A {...x} />, "b", <A {...x} />',
  '<A b={x} />, "b", <br />',
]) {
  test(`${JSON.stringify(source)} has no regular expression`, () => {
    assert.deepEqual(regexps(source), []);
    assert.deepEqual(strings(source), ['"b"']);
  });
}

test('a comment or a template that does not end is reported', () => {
  assert.equal(tokenize('a /* b').unterminated, 2);
  assert.equal(tokenize('a `b ${c} d').unterminated, 8);
  assert.equal(tokenize('a `b`').unterminated, undefined);
});

test('the texts of the tokens are at their offsets', () => {
  const source = "import a from 'b'; a(`c${d}e`, /f/g, 1.5, x => x++) // g";
  const { tokens } = tokenize(source);
  assert.ok(tokens.length === 20);
  for (const { text, start } of tokens)
    assert.equal(source.slice(start, start + text.length), text);
});

// Quadratic time would be more than a minute.
const MAX_MS = 10_000;
const REPETITIONS = 400_000;

for (const part of [
  "'",
  '/',
  '/[',
  '`',
  '${',
  '`${',
  '(',
  '{',
  '}',
  ')',
  '</',
  '/*',
  "'\\\n",
  'é ',
])
  test(`the time is linear for many ${JSON.stringify(part)}`, () => {
    const start = performance.now();
    tokenize(`x = ${part.repeat(REPETITIONS)}`);
    assert.ok(performance.now() - start < MAX_MS);
  });
