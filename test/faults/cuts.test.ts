/**
 * Connections that are cut anywhere. What was under way may be lost, but only if both ends close; and
 * where they need not (an idle connection was cut), nothing is.
 */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { until } from '../support/client.ts';
import { type Conversation, type Setting, converse } from './conversation.ts';
import { Cut, type CutWay } from './faults.ts';
import { type History, complaints } from './history.ts';
import { ALL_TRANSPORTS, type AnyTransport } from './peers.ts';
import { testRounds } from './rounds.ts';

/** Answers are full often; but see history.ts for what EventSource does not notice then. */
function settingsFor(transport: AnyTransport) {
  const settings = { disconnectDelay: 1000, heartbeatDelay: 50 };
  return transport === 'eventsource' ? settings : { ...settings, responseLimit: 600 };
}

/** For sockjs-client, which outside a browser cannot see that an answer has broken off before `o`. */
const PATIENCE = 1500;
const MOST_STEPS = 400;

async function talkUntilCut(conversation: Conversation, cut: Cut): Promise<void> {
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (cut.happened || conversation.isOver) return;
    await conversation.step();
  }
}

/** Outside a browser the client learns of a broken stream only when it has something to send. */
async function settle(conversation: Conversation): Promise<History['endedBy']> {
  conversation.clientSays(2);
  conversation.serverSays(2);
  await conversation.quiet();
  if (!conversation.isQuiet && !conversation.isOver) {
    conversation.clientSays(1);
    await until('the client has closed', () => conversation.isOver);
  }
  if (conversation.isOver) return 'fault';
  conversation.closeClient();
  return 'client when all was quiet';
}

const CUTS = [
  { name: 'cut with FIN', way: 'FIN' },
  { name: 'cut with RST', way: 'RST' },
  { name: 'half-closed', way: 'half' },
] as const satisfies readonly { name: string; way: CutWay }[];

const DIRECTIONS = [
  { where: 'on the way in', direction: 'toServer' },
  { where: 'on the way out', direction: 'toClient' },
] as const;

/** A session that a slow machine has let end before its time proves nothing: then once more. */
const ATTEMPTS = 4;

async function assertCut(
  setting: Pick<Setting, 'transport' | 'dice'>,
  way: CutWay,
  direction: 'toServer' | 'toClient',
): Promise<void> {
  const { transport, dice } = setting;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const cut = new Cut(way, dice.between(0, dice.pick([600, 4000])));
    const given = { stages: { [direction]: cut.stage }, settings: settingsFor(transport) };
    const history = await converse(
      { ...setting, ...given, intact: false, patience: PATIENCE },
      async (conversation) => {
        await talkUntilCut(conversation, cut);
        return settle(conversation);
      },
    );
    assert.deepEqual(complaints(history), []);
    if (cut.happened) return;
  }
  assert.fail('nothing was cut');
}

describe('cuts', { concurrency: 14 }, () => {
  for (const transport of ALL_TRANSPORTS) {
    for (const { name, way } of CUTS) {
      for (const { where, direction } of DIRECTIONS) {
        const rule = 'nothing is lost but with the session';
        testRounds(`${transport}, ${name} ${where}: ${rule}`, 2, (dice) =>
          assertCut({ transport, dice }, way, direction),
        );
      }
    }
  }
});
