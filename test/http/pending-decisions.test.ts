import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import {
  type DecisionCall,
  type DecisionKind,
  type DecisionRequest,
  type Outcome,
  PendingDecisions,
} from '../../src/http/pending-decisions.ts';
import { deferred } from '../../testkit/until.ts';
import { VirtualProcess } from '../../testkit/virtual-process.ts';

const TIMEOUT = 10_000;

/** Time of the running test. */
let time: VirtualProcess;

interface Client extends DecisionRequest {
  disconnect(): void;
  readonly isWatched: boolean;
}

function client(address = '192.0.2.1', kind: DecisionKind = 'authorize'): Client {
  let watcher: (() => void) | undefined;
  return {
    kind,
    address,
    watchDisconnect(callback) {
      watcher = callback;
      return () => {
        watcher = undefined;
      };
    },
    disconnect: () => watcher?.(),
    get isWatched() {
      return watcher !== undefined;
    },
  };
}

function create(t: TestContext, maxPending = 10, maxPendingPerAddress = 3): PendingDecisions {
  time = new VirtualProcess(t.mock);
  return new PendingDecisions({ timeout: TIMEOUT, maxPending, maxPendingPerAddress });
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Lets reactions of settled promises run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

test('a plain result is returned at once and does not count', (t) => {
  const decisions = create(t);
  assert.deepEqual(
    decisions.decide(client(), () => 'user'),
    { type: 'decided', value: 'user' },
  );
  assert.equal(decisions.size, 0);
});

test('an error of the call is thrown', (t) => {
  const decisions = create(t);
  assert.throws(
    () =>
      decisions.decide(client(), () => {
        throw new Error('no database');
      }),
    /no database/,
  );
  assert.equal(decisions.size, 0);
});

test('a promise is awaited, and counts until it settles', async (t) => {
  const decisions = create(t);
  const answer = deferred<string>();
  const from = client();
  const outcome = decisions.decide(from, () => answer.promise);
  assert.ok(outcome instanceof Promise);
  assert.equal(decisions.size, 1);
  assert.ok(from.isWatched);
  answer.resolve('user');
  assert.deepEqual(await outcome, { type: 'decided', value: 'user' });
  assert.equal(decisions.size, 0);
  assert.equal(from.isWatched, false);
});

test('a promise that rejects is thrown, and counts no longer', async (t) => {
  const decisions = create(t);
  await assert.rejects(async () => {
    await decisions.decide(client(), () => Promise.reject(new Error('no database')));
  }, /no database/);
  assert.equal(decisions.size, 0);
});

const THENABLES: readonly (readonly [name: string, create: () => unknown])[] = [
  ['a promise of another realm', (): unknown => runInNewContext('Promise.resolve("user")')],
  [
    'an object with a then method',
    // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
    () => ({ then: (resolve: (value: string) => void) => resolve('user') }),
  ],
  [
    'a function with a then method',
    () =>
      Object.assign(() => {}, {
        // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
        then: (resolve: (value: string) => void) => {
          resolve('user');
          resolve('another');
        },
      }),
  ],
];

for (const [name, createThenable] of THENABLES) {
  test(`${name} is awaited`, async (t) => {
    const decisions = create(t);
    const outcome = await decisions.decide(client(), createThenable);
    assert.deepEqual(outcome, { type: 'decided', value: 'user' });
    assert.equal(decisions.size, 0);
  });
}

test('a value whose then cannot be read rejects', async (t) => {
  const decisions = create(t);
  // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
  const value = Object.defineProperty({}, 'then', {
    get() {
      throw new Error('unreadable');
    },
  });
  await assert.rejects(async () => {
    await decisions.decide(client(), () => value);
  }, /unreadable/);
  assert.equal(decisions.size, 0);
});

test('a call that does not settle times out, and counts no longer', async (t) => {
  const decisions = create(t);
  const outcome = decisions.decide(client(), never);
  time.runSync(TIMEOUT - 1);
  assert.equal(decisions.size, 1);
  time.runSync(1);
  assert.deepEqual(await outcome, { type: 'timeout' });
  assert.equal(decisions.size, 0);
});

test('a call whose client disconnects counts until it settles', async (t) => {
  const decisions = create(t);
  const answer = deferred<string>();
  const from = client();
  const outcome = decisions.decide(from, () => answer.promise);
  from.disconnect();
  assert.deepEqual(await outcome, { type: 'disconnected' });
  assert.equal(decisions.size, 1);
  answer.resolve('user');
  await settle();
  assert.equal(decisions.size, 0);
});

test('a call whose client disconnects counts until it times out', async (t) => {
  const decisions = create(t);
  const from = client();
  const outcome = decisions.decide(from, never);
  from.disconnect();
  await outcome;
  time.runSync(TIMEOUT);
  assert.equal(decisions.size, 0);
});

test('a rejection after the client has disconnected is ignored', async (t) => {
  const decisions = create(t);
  const from = client();
  let fail: (error: Error) => void = () => {};
  const outcome = decisions.decide(
    from,
    () =>
      new Promise((_resolve, reject) => {
        fail = reject;
      }),
  );
  from.disconnect();
  fail(new Error('too late'));
  assert.deepEqual(await outcome, { type: 'disconnected' });
  await settle();
  assert.equal(decisions.size, 0);
});

test('connecting and disconnecting in a loop starts at most the calls that one address may have', async (t) => {
  const decisions = create(t);
  let calls = 0;
  for (let count = 0; count < 100; count += 1) {
    const from = client();
    const outcome = decisions.decide(from, () => {
      calls += 1;
      return never();
    });
    from.disconnect();
    await outcome;
  }
  assert.equal(calls, 3);
});

test('one address has at most its share', (t) => {
  const decisions = create(t);
  for (let count = 0; count < 3; count += 1) void decisions.decide(client(), never);
  assert.deepEqual(decisions.decide(client(), never), { type: 'limit' });
  assert.ok(decisions.decide(client('192.0.2.2'), never) instanceof Promise);
});

test('both kinds count in the share of an address', (t) => {
  const decisions = create(t);
  void decisions.decide(client('192.0.2.1', 'authorize'), never);
  void decisions.decide(client('192.0.2.1', 'allowedOrigins'), never);
  void decisions.decide(client('192.0.2.1', 'authorize'), never);
  assert.deepEqual(decisions.decide(client('192.0.2.1', 'allowedOrigins'), never), {
    type: 'limit',
  });
});

test('IPv6 clients share the limit of their /64', (t) => {
  const decisions = create(t);
  for (let host = 1; host <= 3; host += 1) {
    void decisions.decide(client(`2001:db8::${host}`), never);
  }
  assert.deepEqual(decisions.decide(client('2001:db8::4'), never), { type: 'limit' });
  assert.ok(decisions.decide(client('2001:db8:0:1::1'), never) instanceof Promise);
});

test('the /64 networks of a /48 share a limit', (t) => {
  const decisions = create(t);
  for (let network = 0; network < 6; network += 1) {
    const outcome = decisions.decide(client(`2001:db8:0:${network}::1`), never);
    assert.ok(outcome instanceof Promise);
  }
  assert.deepEqual(decisions.decide(client('2001:db8:0:6::1'), never), { type: 'limit' });
  assert.ok(decisions.decide(client('2001:db8:1::1'), never) instanceof Promise);
});

test('each kind has its own total', (t) => {
  const decisions = create(t);
  for (let host = 0; host < 10; host += 1) {
    void decisions.decide(client(`192.0.2.${host}`), never);
  }
  assert.deepEqual(decisions.decide(client('198.51.100.1'), never), { type: 'limit' });
  const other = client('198.51.100.1', 'allowedOrigins');
  assert.ok(decisions.decide(other, never) instanceof Promise);
});

test('a refused call is not started', (t) => {
  const decisions = create(t, 1);
  void decisions.decide(client(), never);
  void decisions.decide(client('192.0.2.2'), () => assert.fail('it was called'));
});

test('closing ends calls whose clients have disconnected, and leaves no timer', async (t) => {
  const decisions = create(t);
  const from = client();
  const outcome = decisions.decide(from, never);
  from.disconnect();
  decisions.close();
  assert.deepEqual(await outcome, { type: 'disconnected' });
  assert.equal(decisions.size, 0);
});

test('closing ends the wait of every request', async (t) => {
  const decisions = create(t);
  const outcomes = ['192.0.2.1', '192.0.2.2'].map((address) =>
    Promise.resolve(decisions.decide(client(address), never)),
  );
  decisions.close();
  assert.deepEqual(await Promise.all(outcomes), [{ type: 'closed' }, { type: 'closed' }]);
});

const ENDINGS: readonly (readonly [
  name: string,
  end: (from: Client, decisions: PendingDecisions) => void,
])[] = [
  ['the client disconnects', (from) => from.disconnect()],
  ['the call times out', () => time.runSync(TIMEOUT)],
  ['the router closes', (_from, decisions) => decisions.close()],
];

for (const [name, end] of ENDINGS) {
  test(`the signal aborts when ${name}`, (t) => {
    const decisions = create(t);
    const from = client();
    let aborted = 0;
    void decisions.decide(from, (call) => {
      call.signal.addEventListener('abort', () => {
        aborted += 1;
      });
      return never();
    });
    assert.equal(aborted, 0);
    end(from, decisions);
    assert.equal(aborted, 1);
  });

  test(`a signal that is read after ${name} is aborted`, (t) => {
    const decisions = create(t);
    const from = client();
    const calls: DecisionCall[] = [];
    void decisions.decide(from, (call) => {
      calls.push(call);
      return never();
    });
    end(from, decisions);
    assert.equal(calls[0]?.signal.aborted, true);
  });
}

test('the signal does not abort when the call settles', async (t) => {
  const decisions = create(t);
  const signals: AbortSignal[] = [];
  const outcome: Outcome<string> = await decisions.decide(client(), async (call) => {
    signals.push(call.signal);
    return 'user';
  });
  time.runSync(TIMEOUT);
  assert.equal(outcome.type, 'decided');
  assert.equal(signals[0]?.aborted, false);
});

test('a call that settles after a stall, before its reaction could run, is decided', async (t) => {
  const decisions = create(t);
  const answer = deferred<string>();
  const outcome = decisions.decide(client(), () => answer.promise);
  time.runSync(TIMEOUT - 100);
  time.stall(60_000);
  time.fireTimers();
  time.runImmediates();
  answer.resolve('user'); // For example the response of a database, which was waiting in its socket.
  await settle();
  time.runSync(TIMEOUT);
  assert.deepEqual(await outcome, { type: 'decided', value: 'user' });
});

test('a call that does not settle times out after a stall', async (t) => {
  const decisions = create(t);
  const outcome = decisions.decide(client(), never);
  time.runSync(TIMEOUT - 100);
  time.stall(60_000);
  time.runSync(TIMEOUT / 2);
  assert.deepEqual(await outcome, { type: 'timeout' });
});
