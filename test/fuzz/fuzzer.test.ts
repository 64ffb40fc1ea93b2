/** A short run of the fuzzer, and tests of its judge and its minimiser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloseCause } from '../../src/index.ts';
import { Fuzzer } from './fuzzer.ts';
import type { Input } from './input.ts';
import { minimise } from './minimise.ts';
import { judgeResponses } from './response-judge.ts';

const INPUTS = 600;
/** Causes that the inputs of the short run reach. */
const CAUSES: readonly CloseCause[] = [
  'application',
  'client',
  'interrupted',
  'timeout',
  'invalidJson',
];

test('no generated input of one seed violates a rule', async () => {
  const isEnough = (inputs: number): boolean => inputs >= INPUTS;
  const report = await new Fuzzer({ seed: 'npm test', isEnough, isGuided: false }).run();
  assert.equal(report.violation, undefined, JSON.stringify(report.violation, null, 2));
  for (const status of [101, 200, 204, 400, 404, 405, 500]) {
    assert.ok((report.statuses[status] ?? 0) > 0, `no response had status ${status}`);
  }
  for (const cause of CAUSES) {
    assert.ok((report.closed[cause] ?? 0) > 0, `no session was closed by ${cause}`);
  }
});

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
const XHR = 'HTTP/1.1 200 OK\r\nContent-Type: application/javascript; charset=UTF-8\r\n';

const VALID = {
  'two responses': `${OK}ok${OK}ok`,
  'an incomplete response': `${OK}o`,
  'a response to HEAD before another response': `${OK}${OK}ok`,
  'an unfinished stream': `${XHR}Transfer-Encoding: chunked\r\n\r\n2\r\no\n\r\n`,
  'a WebSocket': 'HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x01o\x88\x02\x03\xe8',
};

for (const [name, bytes] of Object.entries(VALID)) {
  test(`the judge accepts ${name}`, () => {
    assert.equal(judgeResponses(bytes, true).fault, undefined);
  });
}

const INVALID = {
  'bytes that are not a response': `${OK}okHTTQ`,
  'an undocumented status': 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n',
  'a header with a control character': 'HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n',
  'a repeated header': 'HTTP/1.1 200 OK\r\nA: 1\r\na: 1\r\n\r\n',
  'two body lengths':
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  'a chunk longer than its size': `${XHR}Transfer-Encoding: chunked\r\n\r\n1\r\no\n\r\n`,
  'a response within another one': `${XHR}Transfer-Encoding: chunked\r\n\r\n2\r\no\n\r\n${OK}ok`,
  'an invalid SockJS frame': `${XHR}Content-Length: 4\r\n\r\na[1\n`,
  'an undocumented body of a refusal':
    'HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nOops',
  'a masked WebSocket frame': 'HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x81aaaab',
  'a reserved close code': 'HTTP/1.1 101 Switching Protocols\r\n\r\n\x88\x02\x03\xee',
};

for (const [name, bytes] of Object.entries(INVALID)) {
  test(`the judge rejects ${name}`, () => {
    assert.notEqual(judgeResponses(bytes, false).fault, undefined);
  });
}

test('minimising an input keeps its effect and drops the rest', async () => {
  const steps = ['a'.repeat(100), `b${'x'.repeat(100)}`, 'c'].map(
    (data) => ({ do: 'send', on: 0, data }) as const,
  );
  const input: Input = { kind: 'any', server: 0, steps };
  const smallest = await minimise(input, async (smaller) =>
    smaller.steps.some((step) => 'data' in step && step.data.includes('b')),
  );
  assert.equal(smallest.steps.length, 1);
  const [step] = smallest.steps;
  assert.ok(step !== undefined && 'data' in step && step.data.length < 10);
});
