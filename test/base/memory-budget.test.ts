import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BufferKind,
  MemoryBudget,
  type MemoryReservation,
  type MemorySettings,
  RouterMemory,
} from '../../src/base/memory-budget.ts';
import { SockJSStats } from '../../src/base/stats.ts';

const SETTINGS: MemorySettings = {
  highWaterMark: 10,
  maxTotalBufferedBytes: 1000,
  maxBufferedBytesPerAddress: 250,
};

interface Holder extends MemoryReservation {
  isEvicted?: boolean;
}

function create(settings: Partial<MemorySettings> = {}, budget = new MemoryBudget()) {
  const stats = new SockJSStats('/echo', () => 0);
  const memory = new RouterMemory({ ...SETTINGS, ...settings }, stats, budget);
  const hold = (address: string, bytes = 0, kind: BufferKind = 'messages'): Holder => {
    const holder: Holder = memory.forClient(address).reserve(kind, () => {
      holder.isEvicted = true;
      holder.release();
    });
    assert.ok(holder.resize(bytes));
    return holder;
  };
  return { budget, stats, hold };
}

const A = '192.0.2.1';
const B = '192.0.2.2';
const STRANGER = '198.51.100.1';

test('bytes are counted while they are held, by kind', () => {
  const { budget, stats, hold } = create();
  const first = hold(A, 30);
  hold(A, 20, 'bodies');
  first.resize(40);
  assert.equal(budget.bytes, 60);
  const { bufferedBytes, buffered } = stats.dump();
  assert.equal(bufferedBytes, 60);
  assert.deepEqual(buffered, { output: 0, messages: 40, bodies: 20, delayedInput: 0 });
  first.release();
  first.release();
  assert.equal(budget.bytes, 20);
});

test('an address without bytes has no account', () => {
  const { budget, hold } = create();
  const holders = ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8:0:1::1', ''].map((address) =>
    hold(address, 1),
  );
  assert.equal(budget.accounts, 5); // Two IPv4 addresses, two /64 networks and their /48.
  for (const holder of holders) holder.release();
  assert.equal(budget.accounts, 0);
  assert.equal(budget.bytes, 0);
});

test('a buffer may be held again after its release', () => {
  const { budget, hold } = create();
  const holder = hold(A, 5);
  holder.release();
  holder.resize(7);
  assert.equal(budget.bytes, 7);
  holder.release();
  assert.equal(budget.accounts, 0);
});

test('bytes that cannot be evicted are visible, but do not count', () => {
  const { budget, stats, hold } = create();
  assert.ok(hold(A).resize(100_000, 0));
  assert.equal(stats.dump().bufferedBytes, 100_000);
  assert.equal(budget.bytes, 0);
});

test('the largest buffer of an address over its limit is evicted, or refused if it grows', () => {
  const { budget, stats, hold } = create();
  const large = hold(A, 150);
  const small = hold(A, 80);
  assert.equal(large.resize(171), false, 'it is the largest itself');
  large.resize(150);
  assert.equal(small.resize(110), true);
  assert.equal(large.isEvicted, true);
  assert.equal(budget.bytes, 110);
  assert.equal(stats.dump().evictionsTotal, 1);
});

test('another client evicts the largest buffer of the address that holds the most', () => {
  const { budget, hold } = create({ maxBufferedBytesPerAddress: 600 });
  const attackers = [hold(A, 100), hold(A, 200), hold(A, 250)];
  const other = hold(B, 440); // The largest buffer, but of a smaller address.
  const stranger = hold(STRANGER, 20);
  assert.deepEqual(
    [...attackers, other].map(({ isEvicted }) => isEvicted),
    [undefined, undefined, true, undefined],
  );
  assert.equal(stranger.bytes, 20);
  assert.equal(budget.bytes, 760);
});

test('several buffers are evicted until there is room', () => {
  const { budget, hold } = create({ maxBufferedBytesPerAddress: 1000 });
  const attackers = Array.from({ length: 100 }, () => hold(A, 10));
  assert.ok(hold(STRANGER, 95).bytes > 0);
  assert.equal(attackers.filter(({ isEvicted }) => isEvicted).length, 10);
  assert.ok(budget.bytes <= 1000);
});

test('the total is never exceeded, even by small buffers of many addresses', () => {
  const { budget, hold } = create();
  let refused = 0;
  for (let host = 0; host < 500; host += 1) {
    const holder = hold(`192.0.${host >> 8}.${host & 255}`, 0);
    if (!holder.resize(10)) {
      refused += 1;
      holder.release();
    }
    assert.ok(budget.bytes <= 1000);
  }
  assert.equal(budget.bytes, 1000);
  assert.equal(refused, 0, 'the oldest are evicted first');
});

test('a limit has room for one small buffer, however low it is', () => {
  const { hold } = create({ maxTotalBufferedBytes: 1, maxBufferedBytesPerAddress: 1 });
  const holder = hold(A);
  assert.equal(holder.resize(10), true);
  assert.equal(holder.resize(11), false);
});

test('the /64 networks of a /48 share a limit', () => {
  const { hold } = create(); // 250 bytes for a /64, 500 for a /48.
  const first = hold('2001:db8:1:1::1', 200);
  hold('2001:db8:1:2::1', 190);
  hold('2001:db8:1:3::1', 111);
  assert.equal(first.isEvicted, true);
  assert.equal(hold('2001:db8:2::1', 200).isEvicted, undefined);
});

test('clients without an address have no limit, since they would share it', () => {
  const { hold } = create();
  const holders = Array.from({ length: 10 }, () => hold('', 100));
  assert.ok(holders.every(({ isEvicted }) => isEvicted === undefined));
  hold('', 50);
  assert.equal(holders.filter(({ isEvicted }) => isEvicted).length, 1);
});

test('a buffer is not evicted for a router with a lower limit', () => {
  const budget = new MemoryBudget();
  const large = create({ maxBufferedBytesPerAddress: 1000 }, budget);
  const low = create({ maxTotalBufferedBytes: 100, maxBufferedBytesPerAddress: 100 }, budget);
  const holder = large.hold(A, 500);
  const client = low.hold(B);
  assert.equal(client.resize(10), true, 'a small buffer passes');
  assert.equal(client.resize(11), false);
  assert.equal(holder.isEvicted, undefined);
});
