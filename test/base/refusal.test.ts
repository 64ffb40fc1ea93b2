/** `Refusal`: validation, and its headers in the response beside those of the library. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal, SockJSError, type SockJSSettings } from '../../src/index.ts';
import { TRANSPORTS, newSession, openRequest } from '../../testkit/transports.ts';
import { startRouter } from '../../testkit/server.ts';
import { testEach } from '../../testkit/node-test.ts';
import { type RawResponse, httpRequest } from '../../testkit/raw-http.ts';

function refusing(headers: Readonly<Record<string, string>>): SockJSSettings {
  return { authorize: () => new Refusal(401, '{"e":1}', headers) };
}

const JSON_TYPE = 'application/json';

testEach(TRANSPORTS, 'a Refusal sets the Content-Type of its text', async (t, transport) => {
  for (const name of ['Content-Type', 'content-type', 'CONTENT-TYPE']) {
    const { port } = await startRouter(t, refusing({ [name]: JSON_TYPE }));
    const { status, body, head } = await httpRequest(port, openRequest(transport));
    assert.deepEqual({ status, body }, { status: 401, body: '{"e":1}' });
    assert.deepEqual(head.all('content-type'), [JSON_TYPE]);
    assert.deepEqual(head.all('content-length'), ['7']);
  }
});

test('a Refusal without text may set a Content-Type', async (t) => {
  const { port } = await startRouter(t, {
    authorize: () => new Refusal(401, '', { 'Content-Type': JSON_TYPE }),
  });
  const { head, body } = await httpRequest(port, { method: 'POST', path: `${newSession()}/xhr` });
  assert.equal(body, '');
  assert.deepEqual(head.all('content-type'), [JSON_TYPE]);
});

/** Sends a poll with an `Origin` header to a router that sets the cookie of a load balancer. */
async function pollRefused(
  t: Parameters<typeof startRouter>[0],
  headers: Readonly<Record<string, string>>,
): Promise<RawResponse> {
  const { port } = await startRouter(t, {
    ...refusing(headers),
    jsessionid: true,
    allowedOrigins: ['https://app.example'],
  });
  return httpRequest(port, {
    method: 'POST',
    path: `${newSession()}/xhr`,
    headers: [['Origin', 'https://app.example']],
  });
}

for (const [name, value] of [
  ['cache-control', 'no-store'],
  ['Access-Control-Allow-Origin', '*'],
] as const) {
  test(`${name} of a Refusal replaces the header of the library`, async (t) => {
    const { head } = await pollRefused(t, { [name]: value });
    assert.deepEqual(head.all(name), [value]);
  });
}

for (const [name, value, libraryValue] of [
  ['set-cookie', 'a=b', 'JSESSIONID=dummy; path=/'],
  ['VARY', 'Cookie', 'Origin'],
] as const) {
  test(`${name} of a Refusal is added to the header of the library`, async (t) => {
    const { head } = await pollRefused(t, { [name]: value });
    assert.deepEqual(head.all(name), [libraryValue, value]);
  });
}

function assertInvalid(create: () => Refusal, message: RegExp): void {
  assert.throws(create, (error) => {
    assert.ok(error instanceof SockJSError);
    assert.equal(error.code, 'ERR_ARGUMENT');
    assert.match(error.message, message);
    return true;
  });
}

for (const name of [
  'Content-Length',
  'content-length',
  'Transfer-Encoding',
  'Trailer',
  'Connection',
  'Keep-Alive',
  'Proxy-Connection',
  'Upgrade',
]) {
  test(`a Refusal cannot set ${name}`, () => {
    assertInvalid(
      () => new Refusal(401, 'x', { [name]: '3' }),
      new RegExp(`must not set .*${name}`),
    );
  });
}

test('a Refusal with 408 or 426 may set Connection and Upgrade', () => {
  const { headers } = new Refusal(426, '', { Upgrade: 'TLS/1.2', Connection: 'Upgrade' });
  assert.deepEqual({ ...headers }, { Upgrade: 'TLS/1.2', Connection: 'Upgrade' });
  assert.equal(new Refusal(408, '', { Connection: 'close' }).status, 408);
});

test('a Refusal cannot have a header twice', () => {
  const twice = { 'Content-Type': JSON_TYPE, 'content-type': 'text/html' };
  assertInvalid(() => new Refusal(401, 'x', twice), /content-type.* once/);
});

for (const [fault, headers] of [
  ['a line break in a value', { Realm: 'a\r\nSet-Cookie: b=c' }],
  ['a control character in a value', { Realm: 'a\0' }],
  ['a character beyond Latin-1 in a value', { Realm: '例え' }],
  ['a line break in a name', { 'a\r\nb': 'c' }],
  ['a colon in a name', { 'a:': 'b' }],
  ['an empty name', { '': 'b' }],
  ['a value that is not a string', { 'Retry-After': 1 }],
  ['null as its headers', null],
  ['an array of headers', [['Realm', 'a']]],
  ['a Map of headers', new Map([['Realm', 'a']])],
] as const) {
  test(`a Refusal cannot have ${fault}`, () => {
    const create = (): Refusal => new Refusal(401, 'x', headers as never);
    assertInvalid(create, /headers.* without control characters/);
  });
}

for (const status of [200, 399, 600, 401.5, Number.NaN]) {
  test(`a Refusal cannot have the status ${status}`, () => {
    assertInvalid(() => new Refusal(status), /400 to 599/);
  });
}

test('a change to the headers object after validation has no effect', () => {
  const headers = { Realm: 'a' };
  const refusal = new Refusal(401, '', headers);
  headers.Realm = 'a\r\nb';
  assert.equal(refusal.headers['Realm'], 'a');
});
