import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionInfo } from '../../src/base/connection-info.ts';
import { collectGarbage } from '../../testkit/memory.ts';

const info = new ConnectionInfo({
  address: '1.2.3.4',
  path: '/echo/000',
  query: 'a=1&a=2&b=%20x&c',
  rawHeaders: [
    'Host',
    'example.com',
    'Cookie',
    'x=1; y=%41',
    'X-Many',
    'a',
    'x-many',
    'b',
    '__proto__',
    'p',
  ],
  secure: true,
});

test('ip, path and secure come from the request', () => {
  assert.equal(info.ip, '1.2.3.4');
  assert.equal(info.path, '/echo/000');
  assert.equal(info.secure, true);
});

test('header names are in lower case, and values of a repeated header are joined', () => {
  assert.equal(info.headers['x-many'], 'a, b');
  assert.equal(info.getHeader('HOST'), 'example.com');
  assert.equal(info.getHeader('absent'), undefined);
});

test('a header may have the name of a property of Object.prototype', () => {
  assert.equal(info.getHeader('__proto__'), 'p');
  assert.equal(info.getHeader('constructor'), undefined);
});

test('cookies are decoded', () => {
  assert.deepEqual({ ...info.cookies }, { x: '1', y: 'A' });
  assert.equal(info.getCookie('y'), 'A');
  assert.equal(info.getCookie('toString'), undefined);
});

test('repeated Cookie headers are combined', () => {
  const combined = new ConnectionInfo({
    address: '',
    path: '',
    query: '',
    rawHeaders: ['cookie', 'a=1', 'Cookie', 'b=2'],
    secure: false,
  });
  assert.deepEqual({ ...combined.cookies }, { a: '1', b: '2' });
});

test('query arguments are decoded', () => {
  assert.deepEqual(info.arguments.getAll('a'), ['1', '2']);
  assert.equal(info.getArgument('b'), ' x');
  assert.equal(info.getArgument('c'), '');
  assert.equal(info.getArgument('d'), undefined);
});

test('a request without cookies and query has none', () => {
  const minimal = new ConnectionInfo({
    address: '',
    path: '',
    query: '',
    rawHeaders: [],
    secure: false,
  });
  assert.deepEqual({ ...minimal.cookies }, {});
  assert.deepEqual([...minimal.arguments], []);
});

test('headers and cookies are parsed once', () => {
  assert.equal(info.headers, info.headers);
  assert.equal(info.cookies, info.cookies);
});

test('a parsed head can be garbage collected, and is parsed again', async () => {
  const parsed = new WeakRef(info.headers);
  await collectGarbage();
  assert.equal(parsed.deref(), undefined);
  assert.equal(info.getHeader('host'), 'example.com');
});

test('handlers cannot change what others read', () => {
  assert.throws(() => Object.assign(info.headers, { host: 'forged' }), TypeError);
  assert.throws(() => Object.assign(info.cookies, { x: 'forged' }), TypeError);
  info.arguments.set('a', 'forged');
  assert.equal(info.getArgument('a'), '1');
});

test('malformed cookies stay as they are', () => {
  const { cookies } = new ConnectionInfo({
    address: '',
    path: '',
    query: '',
    rawHeaders: ['Cookie', 'a=%; b=%C3; c=%4; d=%C3%BC+%2b; e="%41"'],
    secure: false,
  });
  assert.deepEqual({ ...cookies }, { a: '%', b: '%C3', c: '%4', d: '\u00fc++', e: '"A"' });
});
