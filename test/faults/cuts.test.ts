/**
 * Connections that are cut at any byte. Messages in flight may be lost only if both ends close. Nothing is
 * lost where the session survives, such as after a cut of an idle connection.
 */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type CutMode, CuttingStage } from '../../testkit/network-faults.ts';
import { testWithSeeds } from '../../testkit/node-test.ts';
import type { SeededRandom } from '../../testkit/random.ts';
import { until } from '../../testkit/until.ts';
import { FAULT_TRANSPORTS, type FaultTransport } from './clients.ts';
import { type Conversation, converse } from './conversation.ts';
import { type History, violations } from './delivery-rules.ts';

/** Responses reach `responseLimit` often, except for EventSource: delivery-rules.ts names the loss there. */
function settingsFor(transport: FaultTransport) {
  const settings = { disconnectDelay: 1000, heartbeatDelay: 50 };
  return transport === 'eventsource' ? settings : { ...settings, responseLimit: 600 };
}

/** Outside a browser sockjs-client does not notice a response that breaks off before `o`. */
const OPEN_TIMEOUT_MS = 1500;
const MAX_STEPS = 400;

async function exchangeUntilCut(conversation: Conversation, cut: CuttingStage): Promise<void> {
  for (let step = 0; step < MAX_STEPS; step += 1) {
    if (cut.hasCut || conversation.isClosed) return;
    await conversation.step();
  }
}

/** Outside a browser the client notices a broken stream only when it sends. */
async function settle(conversation: Conversation): Promise<History['endedBy']> {
  conversation.clientSends(2);
  conversation.serverSends(2);
  await conversation.delivered();
  if (!conversation.isDelivered && !conversation.isClosed) {
    conversation.clientSends(1);
    await until(() => conversation.isClosed, 'the client to close');
  }
  if (conversation.isClosed) return 'fault';
  conversation.closeClient();
  return 'client after delivery';
}

const CUTS = [
  { name: 'cut with FIN', mode: 'FIN' },
  { name: 'cut with RST', mode: 'RST' },
  { name: 'half-closed', mode: 'half' },
] as const satisfies readonly { name: string; mode: CutMode }[];

const DIRECTIONS = [
  { name: 'to the server', direction: 'toServer' },
  { name: 'to the client', direction: 'toClient' },
] as const;

/** On a slow machine a session may end before its cut, which proves nothing, so the test tries again. */
const MAX_ATTEMPTS = 4;

async function assertCut(
  transport: FaultTransport,
  random: SeededRandom,
  mode: CutMode,
  direction: 'toServer' | 'toClient',
): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const cut = new CuttingStage(mode, random.integer(0, random.pick([600, 4000])));
    const history = await converse(
      {
        transport,
        random,
        stages: { [direction]: cut.stage },
        settings: settingsFor(transport),
        intact: false,
        openTimeout: OPEN_TIMEOUT_MS,
      },
      async (conversation) => {
        await exchangeUntilCut(conversation, cut);
        return settle(conversation);
      },
    );
    assert.deepEqual(violations(history), []);
    if (cut.hasCut) return;
  }
  assert.fail('nothing was cut');
}

describe('cuts', { concurrency: 14 }, () => {
  for (const transport of FAULT_TRANSPORTS) {
    for (const cut of CUTS) {
      for (const { name, direction } of DIRECTIONS) {
        const title = `${transport}, ${cut.name} ${name}: no message is lost unless the session ends`;
        testWithSeeds(title, 2, (random) => assertCut(transport, random, cut.mode, direction));
      }
    }
  }
});
