/** Watchers of a group that change it, stop watching or fail while they are called. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOCAL_NETWORK } from '../../src/groups/group-network.ts';
import type { GroupMember } from '../../src/groups/group-state.ts';
import { SockJSGroup } from '../../src/groups/group.ts';
import { Groups } from '../../src/groups/groups.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

function member(id: string): GroupMember {
  return { id, connection: {}, send: () => true, close() {} };
}

function createGroup() {
  const logger = new RecordingLogger();
  const groups = new Groups('/echo', LOCAL_NETWORK, logger);
  return { logger, state: groups.open('news'), group: new SockJSGroup(groups, 'news') };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test('a watcher that stops in a callback gets no further call', async () => {
  const { state, group } = createGroup();
  for (const id of ['ann', 'bob', 'cid']) state.add(member(id), '1');
  const calls: string[] = [];
  const stop = group.watch({
    joined({ id }) {
      calls.push(id);
      stop();
    },
  });
  await nextTurn();
  state.add(member('dan'), '1');
  assert.deepEqual(calls, ['ann']);
});

test('a watcher that removes members is called in the order of the changes', async () => {
  const { state, group } = createGroup();
  const members = ['ann', 'bob', 'cid'].map(member);
  for (const one of members) state.add(one, '1');
  const remove = (id: string): void => {
    for (const one of members) if (one.id === id) state.remove(one);
  };
  const calls: string[] = [];
  const late: string[] = [];
  group.watch({
    joined({ id }) {
      calls.push(`+${id}`);
      if (id === 'ann') remove('cid');
      if (id === 'dan') remove('dan');
    },
    left: ({ id }) => calls.push(`-${id}`),
  });
  group.watch({
    joined: ({ id }) => late.push(`+${id}`),
    left: ({ id }) => late.push(`-${id}`),
  });
  await nextTurn();
  const dan = member('dan');
  members.push(dan);
  state.add(dan, '1');
  assert.deepEqual(calls, ['+ann', '+bob', '+cid', '-cid', '+dan', '-dan']);
  assert.deepEqual(late.slice(-2), ['+dan', '-dan']);
  assert.ok(late.indexOf('-cid') >= late.indexOf('+cid'), late.join());
});

test('a watcher that is added in a callback gets all members once', async () => {
  const { state, group } = createGroup();
  state.add(member('ann'), '1');
  const calls: string[] = [];
  const inner = { joined: ({ id }: { id: string }) => void calls.push(id) };
  const stop = group.watch({
    joined() {
      stop();
      group.watch(inner);
    },
  });
  await nextTurn();
  state.add(member('bob'), '1');
  await nextTurn();
  assert.deepEqual(calls, ['ann', 'bob']);
});

test('the error of an asynchronous watcher is logged', async () => {
  const { state, group, logger } = createGroup();
  group.watch({
    async joined() {
      throw new Error('oops');
    },
  });
  await nextTurn();
  state.add(member('ann'), '1');
  await nextTurn();
  assert.match(JSON.stringify(logger.take()), /A watcher of a group failed: Error: oops/);
});
