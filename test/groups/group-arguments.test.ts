/** Wrong arguments of groups. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCluster, MemoryHub, memoryBackplane, SockJSConnection } from '../../src/index.ts';
import { LOCAL_NETWORK } from '../../src/groups/group-network.ts';
import { SockJSGroup } from '../../src/groups/group.ts';
import { Groups } from '../../src/groups/groups.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

function createGroup(): SockJSGroup {
  return new SockJSGroup(new Groups('/echo', LOCAL_NETWORK, new RecordingLogger()), 'news');
}

test('watch() refuses a value that is not an object with callbacks', () => {
  const group = createGroup();
  for (const watcher of [undefined, null, 7, () => {}, { joined: 1 }])
    assert.throws(() => group.watch(watcher as object), { code: 'ERR_ARGUMENT' });
});

test('broadcast() refuses an exception that is not a connection', () => {
  const group = createGroup();
  const exceptions = [null, 'id', 7, ['id'], [undefined], new Set([1])];
  for (const except of exceptions)
    assert.throws(() => group.broadcast('text', { except: except as object }), {
      code: 'ERR_ARGUMENT',
    });
  group.broadcast('text', { except: [] });
});

test('options that are not an object are refused', () => {
  const group = createGroup();
  for (const options of [null, 7, 'id'] as unknown[])
    assert.throws(() => group.broadcast('text', options as object), {
      code: 'ERR_ARGUMENT',
      message: /options of broadcast\(\) are an object such as/,
    });
  class Client extends SockJSConnection {}
  assert.throws(() => new Client().join('news', null as unknown as object), {
    code: 'ERR_ARGUMENT',
    message: /options of join\(\) are an object such as/,
  });
});

test('unknown options are refused', () => {
  const options = { name: 'Ada' } as object;
  assert.throws(() => createGroup().broadcast('text', options), {
    code: 'ERR_ARGUMENT',
    message: "broadcast() has no option 'name'. Use { except: … }.",
  });
  class Client extends SockJSConnection {}
  assert.throws(() => new Client().join('news', options), {
    code: 'ERR_ARGUMENT',
    message: "join() has no option 'name'. Use { presence: … }.",
  });
});

test('a text of more than 64 Mi characters is refused, also without a router', async (t) => {
  const cluster = createCluster({
    backplane: memoryBackplane(new MemoryHub()),
    listen: { host: '127.0.0.1' },
    logger: new RecordingLogger(),
  });
  t.after(() => cluster.close());
  const text = 'x'.repeat(64 * 1024 * 1024 + 1);
  const group = cluster.group('/echo', 'news');
  assert.throws(() => group.broadcast(text), { code: 'ERR_MESSAGE_TYPE' });
  assert.throws(() => cluster.broadcast('/echo', text), { code: 'ERR_MESSAGE_TYPE' });
});
