import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
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
    compression: false,
    noKeepAlive: false,
    verifyIp: true,
    authorize: undefined,
    authorizeTimeout: 10_000,
    maxPendingDecisions: 1000,
    maxPendingDecisionsPerAddress: 100,
    allowedOrigins: [],
    allowedHosts: undefined,
    trustedProxies: [],
    forwardedHeader: 'auto',
    baseUrl: undefined,
    cookieNeeded: undefined,
    corsHeaders: true,
    maxMessageBytes: 2_097_152,
    maxMessagesPerBody: 10_000,
    maxMessagesPerSecond: 10_000,
    rateLimitPolicy: 'wait',
    maxConcurrentHandlers: 100,
    openTimeout: 30_000,
    maxSessionAge: Infinity,
    bodyTimeout: 30_000,
    headersTimeout: 20_000,
    maxSessions: 100_000,
    maxSessionsPerAddress: 10_000,
    maxBufferedBytes: 4_194_304,
    maxTotalBufferedBytes: 268_435_456,
    maxBufferedBytesPerAddress: 67_108_864,
    slowConsumer: 'close',
    writeTimeout: 30_000,
    sendTimeLimit: 180_000,
    highWaterMark: 65_536,
    cluster: undefined,
    maxGroups: 1000,
    maxPresenceBytes: 4096,
  });
  assert.notEqual(logger, false);
});

test('an undefined setting counts as missing', () => {
  assert.equal(resolveSettings({ heartbeatDelay: undefined }).heartbeatDelay, 25_000);
});

test('maxBufferedBytesPerAddress is a quarter of maxTotalBufferedBytes by default', () => {
  const given = { maxTotalBufferedBytes: 1002 };
  assert.equal(resolveSettings(given).maxBufferedBytesPerAddress, 251);
  const both = { ...given, maxBufferedBytesPerAddress: 1000 };
  assert.equal(resolveSettings(both).maxBufferedBytesPerAddress, 1000);
});

test('compression may be turned off, or have a threshold', () => {
  for (const compression of [false, {}, { threshold: undefined }, { threshold: 0 }] as const) {
    assert.equal(resolveSettings({ compression }).compression, compression);
  }
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
  [
    'compression',
    true,
    /^compression must be false or an object such as \{ threshold: 1024 \}, whose threshold is a whole number of bytes from 0 to 1073741824, not true\.$/,
  ],
  ['compression', null, /not null/],
  ['compression', 1024, /an object such as/],
  ['compression', [], /an object such as/],
  ['compression', { threshold: -1 }, /threshold: -1/],
  ['compression', { threshold: '1 KiB' }, /whole number of bytes/],
  ['compression', { level: 9 }, /level: 9/],
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

const EXPLAINED: readonly (readonly [name: string, value: unknown, explanation: string])[] = [
  [
    'allowedOrigins',
    ['https://a.com', 'https://x.com/'],
    "The entry 'https://x.com/' ends with a slash. Use 'https://x.com'.",
  ],
  ['allowedOrigins', ['x.com'], "The entry 'x.com' has no scheme. Use 'https://x.com'."],
  [
    'allowedOrigins',
    ['localhost:3000'],
    "The entry 'localhost:3000' has no scheme. Use 'http://localhost:3000'.",
  ],
  ['allowedOrigins', ['//x.com'], "The entry '//x.com' has no scheme. Use 'https://x.com'."],
  ['allowedOrigins', ['*.x.com'], "The entry '*.x.com' has no scheme. Use 'https://*.x.com'."],
  [
    'allowedOrigins',
    ['https://x.com/a?b#c'],
    "The entry 'https://x.com/a?b#c' has a path or a query, which no origin has. Use 'https://x.com'.",
  ],
  [
    'allowedOrigins',
    ['wss://x.com'],
    "The entry 'wss://x.com' has the scheme of a WebSocket, but the origin of a page has http: or https:. Use 'https://x.com'.",
  ],
  ['allowedOrigins', ['ws://x.com:81'], 'http://x.com:81'],
  ['allowedOrigins', ['https://x.com:'], "Use 'https://x.com'."],
  [
    'allowedOrigins',
    ['https://me@x.com'],
    "The entry 'https://me@x.com' has a user name, which no origin has. Use 'https://x.com'.",
  ],
  [
    'allowedOrigins',
    ['https://*.bücher.example'],
    "in punycode. Use 'https://*.xn--bcher-kva.example'.",
  ],
  ['allowedOrigins', ['*'], "The entry '*' must not be in a list: '*' alone allows all origins."],
  [
    'allowedOrigins',
    ['https://a.*.com'],
    "The entry 'https://a.*.com' has a '*' in the wrong place",
  ],
  ['allowedOrigins', ['https://a.com,https://b.com'], 'is not one origin'],
  ['allowedOrigins', [/x\.com$/], 'The list cannot contain regular expressions. Use a function'],
  ['allowedOrigins', 'https://x.com', "Origins must be in a list: ['https://x.com']."],
  ['allowedOrigins', 'x.com/', "Origins must be in a list: ['https://x.com']."],
  ['allowedOrigins', true, "Use '*' to allow all origins."],
  ['allowedOrigins', [42], 'allowedOrigins must be'],
  [
    'disabledTransports',
    ['xhr', 'xhr-streaming'],
    "There is no transport 'xhr-streaming'. Did you mean 'xhr_streaming'?",
  ],
  ['disabledTransports', ['xhr-polling'], "Did you mean 'xhr'?"],
  ['disabledTransports', 'websockets', "Did you mean 'websocket'?"],
];

for (const [name, value, explanation] of EXPLAINED) {
  test(`the error for ${name}: ${inspect(value)} explains: ${explanation}`, () => {
    assert.throws(
      () => resolveSettings({ [name]: value }),
      ({ message }: SockJSError) => message.includes(explanation) && message.includes(' must be '),
    );
  });
}

test('the error for an origin that is not ASCII mentions punycode', () => {
  assert.throws(() => resolveSettings({ allowedOrigins: ['https://例え.jp'] }), {
    message: /ASCII.*punycode.*xn--….*not \[ 'https:\/\/例え\.jp' \]/,
  });
});

for (const [unknown, advice] of [
  ['allowedOrigin', 'Did you mean `allowedOrigins`?'],
  ['cors', 'Did you mean `allowedOrigins`?'],
  ['origins', 'Did you mean `allowedOrigins`?'],
  ['origin', 'Did you mean `allowedOrigins`?'],
  ['transports', 'Did you mean `disabledTransports`?'],
  ['websocket', 'Did you mean `disabledTransports`?'],
  ['heartbeat_delay', 'Did you mean `heartbeatDelay`?'],
  ['disconnect_delay', 'Did you mean `disconnectDelay`?'],
  ['response_limit', 'Did you mean `responseLimit`?'],
  ['sockjs_url', 'Did you mean `sockjsUrl`?'],
  ['base_url', 'Did you mean `baseUrl`?'],
  ['cookie_needed', 'Did you mean `cookieNeeded`?'],
  ['disable_cors', 'Did you mean `corsHeaders`?'],
  ['jsessionId', 'Did you mean `jsessionid`?'],
  ['log', 'Did you mean `logger`?'],
  ['pingInterval', 'Did you mean `heartbeatDelay`?'],
  ['maxHttpBufferSize', 'Did you mean `maxMessageBytes`?'],
  ['trustProxy', 'Did you mean `trustedProxies`?'],
  ['authorise', 'Did you mean `authorize`?'],
  ['perMessageDeflate', 'Did you mean `compression`?'],
  ['compress', 'Did you mean `compression`?'],
  ['prefix', 'The prefix is the second argument of SockJSRouter.'],
  ['port', 'Pass the port to listen().'],
  ['colour', 'Use one of these names:'],
  ['__proto__', 'Use one of these names:'],
] as const) {
  test(`the error for the unknown setting ${unknown} begins with advice: ${advice}`, () => {
    const settings: object = Object.fromEntries([[unknown, 25]]);
    assert.throws(
      () => resolveSettings(settings),
      ({ code, message }: SockJSError) => {
        assert.equal(code, 'ERR_SETTING');
        assert.ok(message.startsWith(`There is no setting '${unknown}'. ${advice}`), message);
        assert.match(message, /Use one of these names: .*heartbeatDelay/);
        return true;
      },
    );
  });
}

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

for (const [settings, warnings] of [
  [{}, []],
  [{ heartbeatDelay: 1000, disconnectDelay: 100, sessionCheckInterval: 1 }, []],
  [
    { heartbeatDelay: 25 },
    ['heartbeatDelay is 25 ms. Times are in milliseconds: the default is 25000 ms.'],
  ],
  [
    { heartbeatDelay: 999 },
    ['heartbeatDelay is 999 ms. Times are in milliseconds: the default is 25000 ms.'],
  ],
  [
    { disconnectDelay: 5, bodyTimeout: 30 },
    [
      'disconnectDelay is 5 ms. Times are in milliseconds: the default is 5000 ms.',
      'bodyTimeout is 30 ms. Times are in milliseconds: the default is 30000 ms.',
    ],
  ],
] as const) {
  test(`the router warns ${warnings.length} times about ${JSON.stringify(settings)}`, () => {
    const lines: string[] = [];
    const warn = (line: string): void => void lines.push(line);
    const logger = { info: assert.fail, warn, error: assert.fail };
    assert.ok(new SockJSRouter(SockJSConnection, '/a', { ...settings, logger }));
    assert.deepEqual(lines, warnings);
  });
}
