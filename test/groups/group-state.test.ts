import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GroupEvents } from '../../src/groups/group-events.ts';
import { type GroupNetwork, LOCAL_NETWORK } from '../../src/groups/group-network.ts';
import { GroupState } from '../../src/groups/group-state.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { deferred } from '../../testkit/until.ts';

type Facts = Awaited<ReturnType<GroupNetwork['facts']>>;

function createGroup(facts: GroupNetwork['facts'], nodes?: ReadonlySet<string>): GroupState {
  return new GroupState({
    topic: 'topic',
    network: { ...LOCAL_NETWORK, facts, nodes },
    logger: new RecordingLogger(),
    events: new GroupEvents('', 'news'),
    onUnused() {},
  });
}

test('members of a node that ends while the presence is read are not present', async () => {
  const facts = deferred<Facts>();
  const group = createGroup(() => facts.promise);
  const joined: string[] = [];
  group.watch({ joined: ({ id }) => joined.push(id) });
  await new Promise(setImmediate);
  group.onNodes(new Set(['local', 'two']));
  facts.resolve(
    new Map([
      ['two', new Map([['bob', '1']])],
      ['three', new Map([['ann', '1']])],
    ]),
  );
  await new Promise(setImmediate);
  assert.deepEqual(joined, ['bob']);
});

test('a late message of a node that has ended adds no member', async () => {
  const group = createGroup(async () => new Map());
  const joined: string[] = [];
  group.watch({ joined: ({ id }) => joined.push(id) });
  await new Promise(setImmediate);
  group.onNodes(new Set(['local', 'two']));
  group.onPresence('three', [['ann', '1']]);
  group.onPresence('two', [['bob', '1']]);
  assert.deepEqual(joined, ['bob']);
});

test('a late message of a node that ended before the group was opened adds no member', async () => {
  const group = createGroup(async () => new Map(), new Set(['local', 'two']));
  const joined: string[] = [];
  group.watch({ joined: ({ id }) => joined.push(id) });
  await new Promise(setImmediate);
  group.onPresence('three', [['ann', '1']]);
  group.onPresence('two', [['bob', '1']]);
  assert.deepEqual(joined, ['bob']);
});

test('all members of a node that comes back are present', async () => {
  let facts: Facts = new Map();
  const group = createGroup(async () => facts);
  const joined: string[] = [];
  group.watch({ joined: ({ id }) => joined.push(id) });
  group.onNodes(new Set(['local']));
  await new Promise(setImmediate);
  const members = [
    ['ann', '1'],
    ['bob', '1'],
  ] as const;
  facts = new Map([['two', new Map(members)]]);
  // Too early: this node does not know the other one yet.
  group.onPresence('two', [['bob', '1']]);
  group.onNodes(new Set(['local', 'two']));
  await new Promise(setImmediate);
  assert.deepEqual(joined, ['ann', 'bob']);
});
