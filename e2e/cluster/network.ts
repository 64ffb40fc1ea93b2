/** Faults of the network between nodes, and a node that does not read what others publish. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import type { TopicStats } from './node-messages.ts';
import { IS_SHORT, record } from './report.ts';
import { type NodeProcess, startSite } from './site.ts';

const MEBIBYTE = 1024 * 1024;
const BROADCAST_RATE = 50 * MEBIBYTE;
const BROADCAST_BYTES = 64 * 1024;
const BROADCAST_MS = IS_SHORT ? 3000 : 10_000;
/** Redis closes the connection of a subscriber that falls 32 MiB behind. */
const MAX_GROWTH_BYTES = 512 * MEBIBYTE;

const LONG = { timeout: 30_000 };

async function topicOf(node: NodeProcess): Promise<TopicStats> {
  return (await node.stats()).topic;
}

export function testNetwork(): void {
  test('two nodes that are cut off from each other serve their own sessions, and a third node serves both', async (t) => {
    const site = await startSite(t);
    const [a, b, third] = site.nodes;
    const ofA = newSession();
    const ofB = newSession();
    const idle = newSession();
    for (const [owner, session] of [
      [a, ofA],
      [b, ofB],
      [a, idle],
    ] as const) {
      assert.equal(await poll(owner.port, session), 'o');
      assert.match(await poll(third.port, session), /^a\["node /);
    }
    const pendingPoll = poll(b.port, ofA);
    await sendMessages(b.port, ofA, 'before');
    assert.equal(await pendingPoll, 'a["before"]');
    // The next poll gets its message once the owner knows that the response of the last one has arrived.
    await sendMessages(a.port, ofA, 'confirmed');
    assert.equal(await poll(a.port, ofA), 'a["confirmed"]');
    site.path(a, b).relay.cut();
    site.path(b, a).relay.cut();

    // Each session by way of the third node, and at its owner.
    for (const [owner, session] of [
      [a, ofA],
      [b, ofB],
    ] as const) {
      await sendMessages(third.port, session, 'hello');
      assert.equal(await poll(owner.port, session), 'a["hello"]');
      await sendMessages(owner.port, session, 'hello');
      assert.equal(await poll(third.port, session), 'a["hello"]');
    }
    const polled = await poll(b.port, idle);
    const { status } = await postBody(b.port, idle, '["lost"]');
    assert.equal(polled, 'c[1001,"Node is gone"]');
    assert.ok(status === 404 || status === 503, String(status));
    assert.equal(a.texts.has('lost'), false);
    site.path(a, b).relay.mend();
    site.path(b, a).relay.mend();
    await sendMessages(b.port, ofA, 'again');
    assert.equal(await poll(b.port, ofA), 'a["again"]');
    record(
      'two nodes cut off from each other',
      'polls for sessions of the other one get `c[1001]`; sends 404 if the connection breaks, 503 if there is none; a third node serves both',
      `poll ${polled}, send ${status}; sessions used by way of the third node continued`,
    );
  });

  test('a subscriber that is blocked during a broadcast of 50 MB/s misses messages, and reports it', async (t) => {
    const site = await startSite(t, { direct: true });
    const [publisher, blocked, healthy] = site.nodes;
    const topic = 'news';
    for (const node of [blocked, healthy])
      await node.ask({ type: 'subscribe', topic }, 'subscribed');
    const before = await publisher.stats();

    const count = Math.round((BROADCAST_RATE / BROADCAST_BYTES) * (BROADCAST_MS / 1000));
    blocked.kill('SIGSTOP');
    const broadcast = { topic, first: 1, count, bytes: BROADCAST_BYTES, rate: BROADCAST_RATE };
    const { ms, lost } = await publisher.ask({ type: 'publish', ...broadcast }, 'published');
    blocked.kill('SIGCONT');
    await until(async () => (await topicOf(healthy)).last === count, 'the last message', LONG);
    await until(async () => (await topicOf(blocked)).missed > 0, 'the report of missed ones', LONG);
    const growth = (await publisher.stats()).rssBytes - before.rssBytes;
    assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes`);
    await site.allMembers();
    const [slow, fast] = [await topicOf(blocked), await topicOf(healthy)];
    assert.ok(slow.received < count);
    // In the short form, other suites run beside it. If it falls behind as well, it reports it.
    if (!IS_SHORT) assert.equal(fast.received, count);
    assert.equal(fast.received === count, fast.missed === 0);
    assert.ok(fast.received > slow.received);
    assert.equal(fast.isDisordered, false);
    assert.equal(lost, 0);

    const later = { topic, first: count + 1, count: 10, bytes: 10, rate: BROADCAST_RATE };
    await publisher.ask({ type: 'publish', ...later }, 'published');
    await until(async () => (await topicOf(blocked)).last === count + 10, 'later messages', LONG);
    const afterwards = await topicOf(blocked);
    assert.equal(afterwards.received, slow.received + 10);
    assert.equal(afterwards.isDisordered, false);
    const session = newSession();
    assert.equal(await poll(publisher.port, session), 'o');
    assert.match(await poll(healthy.port, session), /^a\["node /);
    await sendMessages(healthy.port, session, 'hello');
    assert.equal(await poll(healthy.port, session), 'a["hello"]');
    const rate = Math.round((count * BROADCAST_BYTES) / MEBIBYTE / (ms / 1000));
    record(
      `a subscriber blocked for ${BROADCAST_MS / 1000} s under a broadcast of ${rate} MiB/s`,
      'other subscribers get the messages in order; whoever misses some reports it, and continues',
      `of ${count} messages, the blocked one got ${slow.received} and reported missed ones ${slow.missed} times, the other one got ${fast.received}; the publisher grew by ${Math.round(growth / MEBIBYTE)} MiB`,
    );
  });
}
