/** A short run of `npm run fuzz`, whether its judges can tell right from wrong, and what the long runs have found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAnswers } from './response-judge.ts';
import { Fuzzer } from './fuzzer.ts';
import type { Input } from './input.ts';
import { minimise } from './minimise.ts';
import { until } from '../support/client.ts';
import { HttpConnection, ask } from '../support/http.ts';
import { serve } from '../support/service.ts';

const INPUTS = 256;

test('nothing that the fuzzer makes of one seed does any harm', async () => {
  const isEnough = (inputs: number): boolean => inputs >= INPUTS;
  const report = await new Fuzzer({ seed: 'npm test', isEnough, isGuided: false }).run();
  assert.equal(report.violation, undefined, JSON.stringify(report.violation, null, 2));
  for (const status of [101, 200, 204, 400, 404, 405, 500]) {
    assert.ok((report.statuses[status] ?? 0) > 0, `nothing was answered ${status}`);
  }
  for (const cause of ['application', 'client', 'interrupted', 'timeout', 'invalidJson']) {
    assert.ok((report.closed[cause] ?? 0) > 0, `no session ended as ${cause}`);
  }
});

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
const XHR = 'HTTP/1.1 200 OK\r\nContent-Type: application/javascript; charset=UTF-8\r\n';

const RIGHT = {
  'two answers': `${OK}ok${OK}ok`,
  'an answer that breaks off': `${OK}o`,
  'an answer to a HEAD, and one more': `${OK}${OK}ok`,
  'a stream that goes on': `${XHR}Transfer-Encoding: chunked\r\n\r\n2\r\no\n\r\n`,
  'a WebSocket': 'HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x01o\x88\x02\x03\xe8',
};

for (const [what, bytes] of Object.entries(RIGHT)) {
  test(`the judge of answers admits ${what}`, () => {
    assert.equal(readAnswers(bytes, true).fault, undefined);
  });
}

const WRONG = {
  'what is no answer': `${OK}okHTTQ`,
  'a status that is not documented': 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n',
  'a header with a control character': 'HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n',
  'a header that comes twice': 'HTTP/1.1 200 OK\r\nA: 1\r\na: 1\r\n\r\n',
  'two lengths':
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  'a chunk that is too long': `${XHR}Transfer-Encoding: chunked\r\n\r\n1\r\no\n\r\n`,
  'an answer within another': `${XHR}Transfer-Encoding: chunked\r\n\r\n2\r\no\n\r\n${OK}ok`,
  'a frame that is none': `${XHR}Content-Length: 4\r\n\r\na[1\n`,
  'a refusal in other words':
    'HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nOops',
  'a masked frame of a WebSocket': 'HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x81aaaab',
  'a close code that nobody may send': 'HTTP/1.1 101 Switching Protocols\r\n\r\n\x88\x02\x03\xee',
};

for (const [what, bytes] of Object.entries(WRONG)) {
  test(`the judge of answers finds ${what}`, () => {
    assert.notEqual(readAnswers(bytes, false).fault, undefined);
  });
}

test('an input is made as small as what it does allows', async () => {
  const steps = ['a'.repeat(100), `b${'x'.repeat(100)}`, 'c'].map(
    (data) => ({ do: 'send', on: 0, data }) as const,
  );
  const input: Input = { kind: 'any', target: 0, steps };
  const least = await minimise(input, async (smaller) =>
    smaller.steps.some((step) => 'data' in step && step.data.includes('b')),
  );
  assert.equal(least.steps.length, 1);
  const [step] = least.steps;
  assert.ok(step !== undefined && 'data' in step && step.data.length < 10);
});

const PAGE = 'GET /echo HTTP/1.1\r\nHost: a\r\n\r\n';
const EXPECTING = 'GET /echo HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n';
const WISH = 'Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
const REFUSED_UPGRADE = `GET /echo/nothing HTTP/1.1\r\n${WISH}\r\n`;
const UPGRADE = `GET /echo/websocket HTTP/1.1\r\n${WISH}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;

function stream(session: string): string {
  return `POST /echo/0/${session}/xhr_streaming HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`;
}

const PIPELINES = {
  'a page': PAGE + REFUSED_UPGRADE,
  'a refused expectation': EXPECTING + REFUSED_UPGRADE,
  'a stream': stream('one') + REFUSED_UPGRADE,
  'two streams': stream('one') + stream('two') + REFUSED_UPGRADE,
};

/** All that comes back until the server hangs up. */
async function answersTo(port: number, bytes: string): Promise<string> {
  const connection = new HttpConnection(port);
  try {
    return await connection.send(bytes).readToEnd();
  } finally {
    connection.close();
  }
}

for (const [what, bytes] of Object.entries(PIPELINES)) {
  test(`a refused upgrade that comes behind ${what} without waiting harms nobody`, async (t) => {
    const { port } = await serve(t);
    await answersTo(port, bytes);
    assert.equal((await ask(port, { path: '/echo' })).status, 200);
  });
}

test('a WebSocket does not open in the middle of an answer', async (t) => {
  const { port } = await serve(t);
  const { fault } = readAnswers(await answersTo(port, stream('one') + UPGRADE), false);
  assert.equal(fault, undefined);
});

// Node lets go of such a connection, and forgets the answers that wait for their turn on it.
const LAST = { 'a WebSocket': UPGRADE, 'a tunnel': 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n' };

for (const [what, bytes] of Object.entries(LAST)) {
  test(`a session that waits behind a stream ends with its connection, also if ${what} is asked for`, async (t) => {
    const { port, router } = await serve(t, { disconnectDelay: 100 });
    const connection = new HttpConnection(port);
    connection.send(stream('one') + stream('two') + bytes);
    await until('sessions have opened', () => router.stats.dump().sessionsTotal >= 2);
    connection.abort();
    await until('no session is left', () => router.stats.dump().sessionsActive === 0);
  });
}
