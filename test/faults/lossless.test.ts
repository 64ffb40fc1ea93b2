/** Networks that split and delay bytes without losing any. All messages arrive, and no session is closed. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { LOSSLESS_FAULTS, StallingStage } from '../../testkit/network-faults.ts';
import { testWithSeeds } from '../../testkit/node-test.ts';
import type { SeededRandom } from '../../testkit/random.ts';
import { until } from '../../testkit/until.ts';
import { FAULT_TRANSPORTS, type FaultTransport } from './clients.ts';
import { type Conversation, converse } from './conversation.ts';
import { type History, violations } from './delivery-rules.ts';

/** Low limits, so that faults strike full responses and heartbeats between messages too. */
const SETTINGS = { responseLimit: 600, heartbeatDelay: 150 };
/** More than the head of a response takes byte by byte on a busy machine. */
const OPEN_TIMEOUT_MS = 5000;
const STEPS = 8;

const ENDS = ['client after delivery', 'client', 'server'] as const;

async function finish(
  conversation: Conversation,
  random: SeededRandom,
): Promise<History['endedBy']> {
  if (conversation.isClosed) return 'fault';
  const endedBy = random.pick(ENDS);
  if (endedBy === 'client after delivery') await conversation.delivered();
  if (endedBy === 'server') {
    conversation.clientSends(3);
    conversation.serverSends(3);
    conversation.closeServer(4001, 'Genug – „Schluß“');
    return endedBy;
  }
  if (endedBy === 'client') conversation.clientSends(3);
  await conversation.receiverAttached();
  conversation.closeClient();
  return endedBy;
}

for (const [fault, stageOf] of Object.entries(LOSSLESS_FAULTS)) {
  const isSlow = fault === 'byte by byte';
  describe(fault, { concurrency: isSlow ? 2 : 14 }, () => {
    for (const transport of FAULT_TRANSPORTS) {
      const title = `${transport}, ${fault}: all messages arrive once and in order`;
      testWithSeeds(title, isSlow ? 1 : 2, async (random) => {
        const stages = {
          toServer: stageOf(random.fork('to the server')),
          toClient: stageOf(random.fork('to the client')),
        };
        const settings = SETTINGS;
        const history = await converse(
          { transport, stages, settings, random, intact: true, openTimeout: OPEN_TIMEOUT_MS },
          async (conversation) => {
            for (let step = 0; step < STEPS; step += 1) await conversation.step();
            return finish(conversation, random);
          },
        );
        assert.deepEqual(violations(history), []);
      });
    }
  });
}

const DISCONNECT_DELAY_MS = 1000;

async function assertRulesHoldInStall(
  transport: FaultTransport,
  random: SeededRandom,
): Promise<History> {
  const isPolling = transport === 'xhr-polling' || transport === 'jsonp';
  const stalling = new StallingStage();
  const history = await converse(
    {
      transport,
      random,
      stages: { toServer: stalling.stage, toClient: stalling.stage },
      settings: { disconnectDelay: DISCONNECT_DELAY_MS },
      intact: !isPolling,
      openTimeout: OPEN_TIMEOUT_MS,
    },
    async (conversation) => {
      for (let step = 0; step < 3; step += 1) await conversation.step();
      await conversation.delivered();
      stalling.stall();
      conversation.clientSends(3);
      conversation.serverSends(3);
      const stallEnd = performance.now() + 1.2 * DISCONNECT_DELAY_MS;
      const isClosed = (): boolean => conversation.sessionCloseStatus !== undefined;
      await until(
        () => (isPolling ? isClosed() : performance.now() > stallEnd),
        'the end of the stall',
      );
      stalling.resume();
      if (isPolling) {
        await until(() => conversation.isClosed, 'the client to close');
        return 'fault';
      }
      await conversation.delivered();
      conversation.closeClient();
      return isClosed() ? 'fault' : 'client after delivery';
    },
  );
  assert.deepEqual(violations(history), []);
  return history;
}

describe('a stall for longer than disconnectDelay', { concurrency: true }, () => {
  for (const transport of ['xhr-polling', 'jsonp'] as const) {
    testWithSeeds(`${transport}: a stall closes the session at both ends`, 1, async (random) => {
      const { client } = await assertRulesHoldInStall(transport, random);
      assert.equal(client.closeStatus?.code, 1006);
    });
  }
  for (const transport of FAULT_TRANSPORTS) {
    if (transport === 'xhr-polling' || transport === 'jsonp') continue;
    testWithSeeds(`${transport}: a stall loses nothing and closes nothing`, 1, async (random) => {
      await assertRulesHoldInStall(transport, random);
    });
  }
});
