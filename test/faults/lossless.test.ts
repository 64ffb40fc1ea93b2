/**
 * Networks that tear the bytes apart and let them wait, and lose none of them: nothing may be lost, and
 * nothing may close, but what one of the two ends closes.
 */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { until } from '../support/client.ts';
import { type Conversation, converse } from './conversation.ts';
import type { Dice } from './dice.ts';
import { InboundGate, LOSSLESS } from './faults.ts';
import { type History, complaints } from './history.ts';
import { ALL_TRANSPORTS } from './peers.ts';
import { testRounds } from './rounds.ts';

/** Answers are full, and heartbeats between the messages, often enough for each to meet the faults. */
const SETTINGS = { responseLimit: 600, heartbeatDelay: 150 };
/** Longer than the first bytes of an answer take, one by one, on a busy machine. */
const PATIENCE = 5000;
const STEPS = 8;

const CLOSE_REASONS = ['client when all was quiet', 'client', 'server'] as const;

async function finish(conversation: Conversation, dice: Dice): Promise<History['endedBy']> {
  if (conversation.isOver) return 'fault';
  const endedBy = dice.pick(CLOSE_REASONS);
  if (endedBy === 'client when all was quiet') await conversation.quiet();
  if (endedBy === 'server') {
    conversation.clientSays(3);
    conversation.serverSays(3);
    conversation.closeServer(4001, 'Genug – „Schluß“');
    return endedBy;
  }
  if (endedBy === 'client') conversation.clientSays(3);
  await conversation.attached();
  conversation.closeClient();
  return endedBy;
}

for (const [fault, stageOf] of Object.entries(LOSSLESS)) {
  const isSlow = fault === 'byte by byte';
  describe(fault, { concurrency: isSlow ? 2 : 14 }, () => {
    for (const transport of ALL_TRANSPORTS) {
      const name = `${transport}, ${fault}: all arrives, once and in order`;
      testRounds(name, isSlow ? 1 : 2, async (dice) => {
        const stages = { toServer: stageOf(dice.of('in')), toClient: stageOf(dice.of('out')) };
        const of = { transport, stages, dice, intact: true };
        const setting = { ...of, settings: SETTINGS, patience: PATIENCE };
        const history = await converse(setting, async (conversation) => {
          for (let step = 0; step < STEPS; step += 1) await conversation.step();
          return finish(conversation, dice);
        });
        assert.deepEqual(complaints(history), []);
      });
    }
  });
}

const DELAY = 1000;

describe('a stall for longer than disconnectDelay', { concurrency: true }, () => {
  for (const transport of ALL_TRANSPORTS) {
    const polls = transport === 'xhr-polling' || transport === 'jsonp';
    const rule = polls ? 'closes both ends' : 'changes nothing';
    testRounds(`${transport}: a stall for longer than disconnectDelay ${rule}`, 1, async (dice) => {
      const gate = new InboundGate();
      const stages = { toServer: gate.stage, toClient: gate.stage };
      const of = { transport, stages, dice, intact: !polls };
      const setting = { ...of, settings: { disconnectDelay: DELAY }, patience: PATIENCE };
      const history = await converse(setting, async (conversation) => {
        for (let step = 0; step < 3; step += 1) await conversation.step();
        await conversation.quiet();
        gate.shut();
        conversation.clientSays(3);
        conversation.serverSays(3);
        const stalled = performance.now() + 1.2 * DELAY;
        const ended = (): boolean => conversation.sessionEnd !== undefined;
        await until('the stall is over', () => (polls ? ended() : performance.now() > stalled));
        gate.open();
        if (polls) {
          await until('the client has closed', () => conversation.isOver);
          return 'fault';
        }
        await conversation.quiet();
        conversation.closeClient();
        return conversation.sessionEnd === undefined ? 'client when all was quiet' : 'fault';
      });
      assert.deepEqual(complaints(history), []);
      if (polls) assert.equal(history.client.end?.code, 1006);
    });
  }
});
