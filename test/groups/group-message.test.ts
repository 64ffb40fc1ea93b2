/** Messages of other nodes, also of programs that are no node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatClose, formatPresence, parseGroupMessage } from '../../src/groups/group-message.ts';
import { LOCAL_NETWORK } from '../../src/groups/group-network.ts';
import { SockJSGroup } from '../../src/groups/group.ts';
import { Groups } from '../../src/groups/groups.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

test('malformed messages are ignored', () => {
  const messages = [
    '',
    'x',
    'c',
    'p',
    'c{}',
    'c[]',
    'c["4000","x"]',
    'c[4000]',
    'c[1005,"reserved"]',
    'c[70000,"too high"]',
    'c[-1,"negative"]',
    'c[4000.5,"no integer"]',
    `c[4000,"${'x'.repeat(124)}"]`,
    'p[["id"]]',
    'p[[1,"x"]]',
    'p[["id",{}]]',
    'p[null]',
    'rr',
    `p${'['.repeat(100_000)}`,
  ];
  for (const message of messages) assert.equal(parseGroupMessage(message), undefined, message);
  const status = { code: 4000, reason: 'moved' };
  assert.deepEqual(parseGroupMessage(formatClose(status)), { kind: 'close', status });
});

test('ids and values of other nodes may have the names of prototype members', async () => {
  const groups = new Groups('/echo', LOCAL_NETWORK, new RecordingLogger());
  const seen: unknown[] = [];
  new SockJSGroup(groups, '__proto__').watch({
    joined: ({ id, node, presence }) => seen.push([id, node, presence]),
    left: ({ id }) => seen.push(id),
  });
  await new Promise(setImmediate);
  const ids = ['__proto__', 'constructor'];
  const topic = 'group /echo __proto__';
  const send = (value: string | null): void =>
    groups.onMessage(topic, '__proto__', formatPresence(ids.map((id) => [id, value])));
  send('{"__proto__":1}');
  send(null);
  const presence: unknown = JSON.parse('{"__proto__":1}');
  assert.deepEqual(seen, [...ids.map((id) => [id, '__proto__', presence]), ...ids]);
});
