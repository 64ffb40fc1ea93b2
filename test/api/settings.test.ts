import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SETTING_DEFINITIONS } from '../../src/api/setting-definitions.ts';
import {
  type ResolvedSettings,
  type SockJSSettings,
  resolveSettings,
} from '../../src/api/settings.ts';
import { type Authorize, SockJSConnection, SockJSError, SockJSRouter } from '../../src/index.ts';

test('an empty object resolves to the defaults', () => {
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
    authorizeTimeout: 10_000,
    maxPendingDecisions: 1000,
    maxPendingDecisionsPerAddress: 100,
    allowedOrigins: [],
    allowedHosts: undefined,
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

test('an undefined setting counts as missing', () => {
  assert.equal(resolveSettings({ heartbeatDelay: undefined }).heartbeatDelay, 25_000);
});

test('resolved settings are frozen', () => {
  assert.ok(Object.isFrozen(resolveSettings({})));
});

const INVALID: readonly (readonly [name: string, value: unknown, message: RegExp])[] = [
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
  ['allowedOrigins', ['https://'], /list of origins/],
  ['allowedOrigins', ['http://*:*'], /list of origins/],
  ['allowedOrigins', ['http://localhost:*/'], /list of origins/],
  ['allowedOrigins', ['http://localhost:8*'], /list of origins/],
  ['allowedHosts', 'example.com', /list of host names/],
  ['allowedHosts', ['https://example.com'], /without scheme and port/],
  ['allowedHosts', ['example.com:80'], /without scheme and port/],
  ['allowedHosts', ['*'], /'\*', or a list/],
  ['allowedHosts', ['a.*.com'], /list of host names/],
  ['allowedHosts', [''], /list of host names/],
  ['trustedProxies', true, /addresses or subnets/],
  ['trustedProxies', [10], /addresses or subnets/],
  ['sockjsUrl', 'sockjs.js', /sockjsUrl must be a URL/],
  ['baseUrl', 'somewhere', /baseUrl must be a URL/],
  ['logger', true, /debug, info, warn and error, or false/],
  ['logger', { warn() {} }, /debug, info, warn and error/],
  ['logger', () => {}, /not a function/],
];

for (const [name, value, message] of INVALID) {
  test(`${name} cannot be ${typeof value === 'function' ? 'a function' : JSON.stringify(value)}`, () => {
    assert.throws(
      () => resolveSettings({ [name]: value }),
      (error) => {
        assert.ok(error instanceof SockJSError);
        assert.equal(error.code, 'ERR_SETTING');
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

const VALID: readonly (readonly [name: string, value: unknown])[] = [
  ['allowedOrigins', '*'],
  [
    'allowedOrigins',
    ['https://example.com', 'http://localhost:8080', 'https://*.example.com', 'null'],
  ],
  ['allowedOrigins', ['https://xn--r8jz45g.jp', 'http://[::1]:8080', 'capacitor://localhost']],
  ['allowedOrigins', ['file://', 'app://', 'http://localhost:*', 'https://*.example.com:*']],
  ['allowedOrigins', () => true],
  ['allowedHosts', '*'],
  ['allowedHosts', ['example.com', '*.example.com', 'my_host', '127.0.0.1']],
  ['trustedProxies', ['loopback', '10.0.0.0/8', '::1']],
  ['sockjsUrl', 'https://example.com/sockjs.js'],
  ['sockjsUrl', '/sockjs.js'],
  ['sockjsUrl', new URL('file:///sockjs.js')],
  ['disabledTransports', ['websocket', 'jsonp']],
  ['logger', false],
  ['logger', console],
];

for (const [name, value] of VALID) {
  test(`${name} can be ${typeof value === 'function' ? 'a function' : String(value)}`, () => {
    assert.equal(Reflect.get(resolveSettings({ [name]: value }), name), value);
  });
}

test('the error for an origin that is not ASCII mentions punycode', () => {
  assert.throws(() => resolveSettings({ allowedOrigins: ['https://例え.jp'] }), {
    message: /ASCII.*punycode.*xn--….*not \[ 'https:\/\/例え\.jp' \]/,
  });
});

test('the error for an unknown setting lists all settings', () => {
  const misspelled: object = { heartbeat_delay: 25 };
  assert.throws(
    () => resolveSettings(misspelled),
    /no setting 'heartbeat_delay'\. Use one of these names: .*heartbeatDelay/,
  );
});

test('the router refuses a proxy that is not an address', () => {
  assert.throws(
    () => new SockJSRouter(SockJSConnection, '/a', { trustedProxies: ['nonsense'] }),
    /trustedProxies must be a list of addresses or subnets/,
  );
});

test('settings must be an object', () => {
  const settings: unknown = null;
  assert.throws(
    () => Reflect.construct(SockJSRouter, [SockJSConnection, '/echo', settings]),
    /settings must be an object, not null/,
  );
});

test('highWaterMark is at most maxBufferedBytes', () => {
  assert.equal(resolveSettings({ maxBufferedBytes: 1000 }).highWaterMark, 1000);
  assert.equal(resolveSettings({ maxBufferedBytes: 1000, highWaterMark: 10 }).highWaterMark, 10);
});

test('every default is valid', () => {
  for (const [name, { rule, defaultValue }] of Object.entries(SETTING_DEFINITIONS))
    assert.ok(defaultValue === undefined || rule.isValid(defaultValue), name);
});

interface User {
  readonly name: string;
}

type IsAssignable<From, To> = From extends To ? true : false;

test('authorize must return the User of the settings', () => {
  const sameUser: IsAssignable<Authorize<User>, SockJSSettings<User>['authorize']> = true;
  const otherUser: IsAssignable<
    Authorize<{ age: number }>,
    SockJSSettings<User>['authorize']
  > = false;
  const resolved: IsAssignable<ResolvedSettings<User>['authorize'], Authorize<User> | undefined> =
    true;
  assert.deepEqual([sameUser, otherUser, resolved], [true, false, true]);
});

test('settings have the types of their rules', () => {
  const policy: IsAssignable<'wait' | 'close', SockJSSettings['rateLimitPolicy']> = true;
  const text: IsAssignable<string, SockJSSettings['rateLimitPolicy']> = false;
  const count: IsAssignable<SockJSSettings['maxSessions'], number | undefined> = true;
  assert.deepEqual([policy, text, count], [true, false, true]);
});
