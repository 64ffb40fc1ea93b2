/** RFC 6455, section 4: the opening handshake, from the request to the bytes of the response. */
import { createHash } from 'node:crypto';
import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import {
  acceptHandshake,
  checkHandshake,
  isWebSocketRequest,
} from '../../src/websocket/handshake.ts';
import { HANDSHAKE_KEY } from '../../testkit/raw-websocket.ts';

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}

interface Head {
  readonly method?: string;
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** Header names are in lower case, as Node passes them. */
function request({ method = 'GET', version = '1.1', headers = {} }: Head = {}): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message.method = method;
  message.httpVersion = version;
  message.headers = {
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-key': HANDSHAKE_KEY,
    'sec-websocket-version': '13',
    ...headers,
  };
  return message;
}

function withHeader(name: string, value: string | undefined): IncomingMessage {
  return request({ headers: { [name]: value } });
}

/** Status line and headers of the response, with names in lower case. */
function responseTo(message: IncomingMessage): { status: string; headers: Map<string, string> } {
  const [status = '', ...lines] = acceptHandshake(message, sha1).split('\r\n');
  assert.deepEqual(lines.splice(-2), ['', ''], 'an empty line ends the head');
  const headers = lines.map((line) => {
    const [name = '', value = ''] = line.split(': ');
    return [name.toLowerCase(), value] as const;
  });
  assert.equal(new Set(headers.map(([name]) => name)).size, headers.length);
  return { status, headers: new Map(headers) };
}

test('4.2.1: a valid request is accepted', () => {
  assert.equal(isWebSocketRequest(request()), true);
  assert.equal(checkHandshake(request()), undefined);
});

for (const method of ['POST', 'HEAD', 'OPTIONS', 'CONNECT']) {
  test(`4.2.1: ${method} is no WebSocket request`, () => {
    assert.equal(isWebSocketRequest(request({ method })), false);
  });
}

for (const upgrade of ['websocket', 'WebSocket', 'WEBSOCKET']) {
  test(`4.2.1: Upgrade: ${upgrade} makes a WebSocket request`, () => {
    assert.equal(isWebSocketRequest(withHeader('upgrade', upgrade)), true);
  });
}

for (const upgrade of [undefined, '', 'h2c', 'websockets', 'websocket/13']) {
  test(`4.2.1: Upgrade: ${upgrade} makes no WebSocket request`, () => {
    assert.equal(isWebSocketRequest(withHeader('upgrade', upgrade)), false);
  });
}

for (const version of ['1.0', '0.9']) {
  test(`4.2.1: HTTP/${version} is refused with 400`, () => {
    assert.equal(checkHandshake(request({ version }))?.status, 400);
  });
}

const KEYS = [
  undefined,
  '',
  'dGhlIHNhbXBsZSBub25jZQ',
  'dGhlIHNhbXBsZSBub25jZQ=',
  'dGhlIHNhbXBsZSBub25jZQ===',
  'dGhlIHNhbXBsZSBub25j',
  'dGhlIHNhbXBsZSBub25jZSE=',
  'dGhlIHNhbXBsZSBub25j-_==',
  ` ${HANDSHAKE_KEY}`,
  `${HANDSHAKE_KEY}\n`,
  `${HANDSHAKE_KEY}, ${HANDSHAKE_KEY}`,
];
for (const key of KEYS) {
  test(`4.2.1: the key ${JSON.stringify(key)}, which is not 16 bytes in base64, is refused with 400`, () => {
    assert.equal(checkHandshake(withHeader('sec-websocket-key', key))?.status, 400);
  });
}

for (const version of ['13', '8']) {
  test(`4.2.1: version ${version} is accepted`, () => {
    assert.equal(checkHandshake(withHeader('sec-websocket-version', version)), undefined);
  });
}

for (const version of [undefined, '', '0', '7', '9', '14', '013', '13, 8', '13.0', 'x']) {
  test(`4.4: version ${version} is refused with 426 and the supported versions`, () => {
    const refusal = checkHandshake(withHeader('sec-websocket-version', version));
    assert.equal(refusal?.status, 426);
    assert.equal(refusal.headers['Sec-WebSocket-Version'], '13, 8');
  });
}

test('RFC 9110, 15.5.22: a response with 426 has an Upgrade header', () => {
  const refusal = checkHandshake(withHeader('sec-websocket-version', '7'));
  assert.equal(refusal?.headers['Upgrade'], 'websocket');
});

test('1.3, 4.2.2: the key of the examples gets their accept value', () => {
  const { status, headers } = responseTo(request());
  assert.equal(status, 'HTTP/1.1 101 Switching Protocols');
  assert.equal(headers.get('upgrade'), 'websocket');
  assert.equal(headers.get('connection'), 'Upgrade');
  assert.equal(headers.get('sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  assert.equal(headers.size, 3);
});

test('4.2.2, 9.1: the accepted extension is in the response', () => {
  const response = acceptHandshake(request(), sha1, 'permessage-deflate');
  assert.match(response, /\r\nSec-WebSocket-Extensions: permessage-deflate\r\n/);
  assert.ok(response.endsWith('\r\n\r\n'));
});

test('4.2.2, 9.1: no extension is selected by itself', () => {
  const withExtensions = withHeader(
    'sec-websocket-extensions',
    'permessage-deflate; client_max_window_bits',
  );
  assert.equal(responseTo(withExtensions).headers.has('sec-websocket-extensions'), false);
});

for (const [offered, selected] of [
  ['chat', 'chat'],
  ['chat, superchat', 'chat'],
  [' chat ,superchat', 'chat'],
  ["!#$%&'*+-.^_`|~09AZaz", "!#$%&'*+-.^_`|~09AZaz"],
] as const) {
  test(`4.2.2: of the subprotocols "${offered}" the first is selected`, () => {
    const { headers } = responseTo(withHeader('sec-websocket-protocol', offered));
    assert.equal(headers.get('sec-websocket-protocol'), selected);
  });
}

for (const offered of [
  undefined,
  '',
  ' ',
  ',',
  ', chat',
  'a b',
  'a\r\nX: y',
  'a"',
  'a/b',
  'é',
  'a;b',
]) {
  test(`4.2.2: ${JSON.stringify(offered)} is no subprotocol and selects none`, () => {
    const { headers } = responseTo(withHeader('sec-websocket-protocol', offered));
    assert.equal(headers.size, 3);
  });
}
