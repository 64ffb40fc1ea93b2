import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GroupEvents } from '../../src/groups/group-events.ts';
import { type GroupNetwork, LOCAL_NETWORK } from '../../src/groups/group-network.ts';
import { GroupState } from '../../src/groups/group-state.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { deferred } from '../../testkit/until.ts';

type Facts = Awaited<ReturnType<GroupNetwork['facts']>>;

test('members of a node that ends while the presence is read are not present', async () => {
  const facts = deferred<Facts>();
  const group = new GroupState({
    topic: 'topic',
    network: { ...LOCAL_NETWORK, facts: () => facts.promise },
    logger: new RecordingLogger(),
    events: new GroupEvents('', 'news'),
    onUnused() {},
  });
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
  const group = new GroupState({
    topic: 'topic',
    network: LOCAL_NETWORK,
    logger: new RecordingLogger(),
    events: new GroupEvents('', 'news'),
    onUnused() {},
  });
  const joined: string[] = [];
  group.watch({ joined: ({ id }) => joined.push(id) });
  await new Promise(setImmediate);
  group.onNodes(new Set(['local', 'two']));
  group.onPresence('three', [['ann', '1']]);
  group.onPresence('two', [['bob', '1']]);
  assert.deepEqual(joined, ['bob']);
});
