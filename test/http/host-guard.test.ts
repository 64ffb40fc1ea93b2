/** Host names that are allowed and refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AllowedHosts, HostGuard } from '../../src/http/host-guard.ts';

const ONE = ['app.example.com'];

const CASES: readonly (readonly [boolean, AllowedHosts | undefined, host: string | undefined])[] = [
  [true, undefined, 'rebind.example'],
  [true, '*', 'rebind.example'],
  [true, [], undefined],
  [true, [], ''],
  [false, [], 'rebind.example'],
  [false, [], 'rebind.example:9999'],
  [true, [], 'localhost'],
  [true, [], 'localhost:9999'],
  [true, [], 'LOCALHOST:9999'],
  [true, [], 'localhost.:9999'],
  [true, [], 'app.localhost'],
  [false, [], 'localhost.example'],
  [false, [], 'notlocalhost'],
  [false, [], '.localhost.example'],
  [true, [], '127.0.0.1:9999'],
  [true, [], '192.168.1.10'],
  [false, [], '127.0.0.1.rebind.example'],
  [false, [], '127.0.0.1x'],
  [true, [], '[::1]'],
  [true, [], '[::1]:9999'],
  [true, [], '[2001:db8::1]:443'],
  [true, [], '::1'],
  [false, [], '[rebind.example]:9999'],
  [false, [], '[::1].rebind.example'],
  [false, [], 'rebind.example:1:2'],
  [true, ONE, 'app.example.com'],
  [true, ONE, 'APP.example.com.:8443'],
  [false, ONE, 'example.com'],
  [false, ONE, 'x.app.example.com'],
  [false, ONE, 'app.example.com.rebind.example'],
  [true, ['App.Example.com.'], 'app.example.com'],
  [true, ['*.example.com'], 'a.b.example.com'],
  [false, ['*.example.com'], 'example.com'],
  [false, ['*.example.com'], '.example.com'],
  [false, ['*.example.com'], 'notexample.com'],
  [true, ['*.example.com', 'example.com'], 'example.com'],
];

for (const [allowed, list, host] of CASES) {
  test(`with ${JSON.stringify(list)} the host ${host} is ${allowed ? 'allowed' : 'refused'}`, () => {
    assert.equal(new HostGuard(list).allows(host), allowed);
  });
}

test('a guard can be restricted later, and opened again', () => {
  const guard = new HostGuard();
  assert.ok(guard.allows('rebind.example'));
  guard.restrict(['own.example']);
  assert.ok(!guard.allows('rebind.example'));
  assert.ok(guard.allows('own.example'));
  guard.restrict('*');
  assert.ok(guard.allows('rebind.example'));
});
