import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection, SockJSError, SockJSRouter } from '../src/index.ts';
import { resolveSettings } from '../src/api/settings.ts';

test('the defaults are those of sockjs-tornado, and safe ones beside them', () => {
  const { logger, ...rest } = resolveSettings({});
  assert.deepEqual(rest, {
    sessionCheckInterval: 1000,
    disconnectDelay: 5000,
    heartbeatDelay: 25_000,
    pingTimeout: 20_000,
    streamRenewalDelay: 120_000,
    disabledTransports: [],
    sockjsUrl: undefined,
    responseLimit: 131_072,
    jsessionid: true,
    immediateFlush: true,
    disableNagle: true,
    noKeepAlive: false,
    verifyIp: true,
    authorize: undefined,
    allowedOrigins: [],
    trustedProxies: [],
    baseUrl: undefined,
    maxMessageBytes: 2_097_152,
    maxMessagesPerBody: 10_000,
    maxMessagesPerSecond: 10_000,
    rateLimitPolicy: 'wait',
    bodyTimeout: 30_000,
    headersTimeout: 20_000,
    maxSessions: 100_000,
    maxSessionsPerAddress: 10_000,
    maxBufferedBytes: 4_194_304,
    maxTotalBufferedBytes: 268_435_456,
    slowConsumer: 'close',
    writeTimeout: 30_000,
    highWaterMark: 65_536,
  });
  assert.notEqual(logger, false);
});

test('a setting that is undefined counts as not given', () => {
  assert.equal(resolveSettings({ heartbeatDelay: undefined }).heartbeatDelay, 25_000);
});

test('resolved settings cannot be changed', () => {
  assert.ok(Object.isFrozen(resolveSettings({})));
});

const WRONG: readonly (readonly [name: string, value: unknown, says: RegExp])[] = [
  [
    'heartbeatDelay',
    0,
    /^heartbeatDelay must be a whole number of milliseconds from 1 to 86400000, not 0\.$/,
  ],
  ['heartbeatDelay', '25', /milliseconds.*not '25'/],
  ['heartbeatDelay', Number.NaN, /not NaN/],
  ['disconnectDelay', 1.5, /whole number/],
  ['sessionCheckInterval', -1, /milliseconds/],
  ['sessionCheckInterval', null, /not null/],
  ['responseLimit', 0, /whole number of bytes/],
  ['maxMessageBytes', Infinity, /bytes/],
  ['maxBufferedBytes', '1MB', /bytes/],
  ['highWaterMark', -5, /bytes/],
  ['jsessionid', 'yes', /^jsessionid must be true or false, not 'yes'\.$/],
  ['immediateFlush', 1, /true or false/],
  ['disableNagle', 0, /true or false/],
  ['noKeepAlive', 'no', /true or false/],
  ['verifyIp', {}, /true or false/],
  [
    'disabledTransports',
    ['xhr-streaming'],
    /must be a list of websocket, rawwebsocket, xhr, xhr_streaming/,
  ],
  ['disabledTransports', 'xhr', /must be a list of/],
  ['allowedOrigins', 'https://example.com', /'\*', a list of origins/],
  ['allowedOrigins', ['example.com'], /list of origins/],
  ['allowedOrigins', ['https://example.com/'], /list of origins/],
  ['allowedOrigins', ['https://a.*.com'], /list of origins/],
  ['allowedOrigins', ['*'], /list of origins/],
  ['allowedOrigins', ['https://a.com;'], /list of origins/],
  ['allowedOrigins', ['https://a.com,https://b.com'], /list of origins/],
  ['allowedOrigins', ['https://a\u0000.com'], /list of origins/],
  ['allowedOrigins', ['https://a.com', 'https://例え.jp'], /list of origins/],
  ['allowedOrigins', ['https://*.bücher.example'], /list of origins/],
  ['trustedProxies', true, /addresses or subnets/],
  ['trustedProxies', [10], /addresses or subnets/],
  ['sockjsUrl', 'sockjs.js', /sockjsUrl must be a URL/],
  ['baseUrl', 'somewhere', /baseUrl must be a URL/],
  ['logger', true, /debug, info, warn and error, or false/],
  ['logger', { warn() {} }, /debug, info, warn and error/],
  ['logger', () => {}, /not a function/],
];

for (const [name, value, says] of WRONG) {
  test(`${name} cannot be ${typeof value === 'function' ? 'a function' : JSON.stringify(value)}`, () => {
    assert.throws(
      () => resolveSettings({ [name]: value }),
      (error) => {
        assert.ok(error instanceof SockJSError);
        assert.equal(error.code, 'ERR_SETTING');
        assert.match(error.message, says);
        return true;
      },
    );
  });
}

const RIGHT: readonly (readonly [name: string, value: unknown])[] = [
  ['allowedOrigins', '*'],
  [
    'allowedOrigins',
    ['https://example.com', 'http://localhost:8080', 'https://*.example.com', 'null'],
  ],
  ['allowedOrigins', ['https://xn--r8jz45g.jp', 'http://[::1]:8080', 'capacitor://localhost']],
  ['allowedOrigins', () => true],
  ['trustedProxies', ['loopback', '10.0.0.0/8', '::1']],
  ['sockjsUrl', 'https://example.com/sockjs.js'],
  ['sockjsUrl', '/sockjs.js'],
  ['sockjsUrl', new URL('file:///sockjs.js')],
  ['disabledTransports', ['websocket', 'jsonp']],
  ['logger', false],
  ['logger', console],
];

for (const [name, value] of RIGHT) {
  test(`${name} can be ${typeof value === 'function' ? 'a function' : String(value)}`, () => {
    assert.equal(Reflect.get(resolveSettings({ [name]: value }), name), value);
  });
}

test('who writes an origin in letters that no browser sends is told of punycode', () => {
  assert.throws(() => resolveSettings({ allowedOrigins: ['https://例え.jp'] }), {
    message: /ASCII.*punycode.*xn--….*not \[ 'https:\/\/例え\.jp' \]/,
  });
});

test('an unknown setting is refused with the list of those that there are', () => {
  const wrong: object = { heartbeat_delay: 25 };
  assert.throws(
    () => resolveSettings(wrong),
    /no setting 'heartbeat_delay'; the settings are .*heartbeatDelay/,
  );
});

test('a proxy that is no address is refused when the router is made', () => {
  assert.throws(
    () => new SockJSRouter(SockJSConnection, '/a', { trustedProxies: ['nonsense'] }),
    /trustedProxies must be a list of addresses or subnets/,
  );
});

for (const prefix of ['echo', '/echo/', '/', '/a?b', '/a#b', '/a b', '//']) {
  test(`the prefix cannot be '${prefix}'`, () => {
    assert.throws(
      () => new SockJSRouter(SockJSConnection, prefix),
      /The prefix must be '' or a path such as '\/echo'/,
    );
  });
}

for (const prefix of ['/écho', '/例え', '/a/\u0001', '/a\u007f']) {
  test(`the prefix cannot be ${JSON.stringify(prefix)}, which no client asks for`, () => {
    assert.throws(() => new SockJSRouter(SockJSConnection, prefix), {
      code: 'ERR_SETTING',
      message: /printable ASCII.*percent-encoded/,
    });
  });
}

test('the prefix can be what clients send in place of other characters', () => {
  const prefix = encodeURI('/écho/~a(b)');
  assert.equal(new SockJSRouter(SockJSConnection, prefix).prefix, '/%C3%A9cho/~a(b)');
});

test('what is no class is refused', () => {
  const wrong: unknown = {};
  assert.throws(
    () => Reflect.construct(SockJSRouter, [wrong, '/echo']),
    /must be a class that extends SockJSConnection/,
  );
});

test('settings that are no object are refused', () => {
  const wrong: unknown = null;
  assert.throws(
    () => Reflect.construct(SockJSRouter, [SockJSConnection, '/echo', wrong]),
    /settings must be an object, not null/,
  );
});

test('a function is no connection class', () => {
  assert.throws(
    () => Reflect.construct(SockJSRouter, [() => undefined, '/echo']),
    /must be a class that extends/,
  );
});

test('what is no server cannot be attached to', () => {
  const router = new SockJSRouter(SockJSConnection, '/echo');
  for (const wrong of [undefined, {}, () => undefined]) {
    assert.throws(() => router.attach(wrong as never), /takes an http\.Server/);
  }
});

for (const options of [
  { code: 1006 },
  { code: 99 },
  { reason: 'x'.repeat(200) },
  { timeout: Number.NaN },
  { timeout: -1 },
]) {
  test(`a router cannot be closed with ${JSON.stringify(options).slice(0, 40)}`, async () => {
    const router = new SockJSRouter(SockJSConnection, '/echo');
    assert.throws(() => router.close(options), { code: 'ERR_CLOSE_ARGUMENT' });
    await router.close({ timeout: 0 });
  });
}
