/** Proof that the fault tests notice a lost or a duplicated message: here the relay loses or duplicates one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TAMPERING, TamperingStage } from '../../testkit/network-faults.ts';
import { SeededRandom } from '../../testkit/random.ts';
import { until } from '../../testkit/until.ts';
import { converse } from './conversation.ts';
import { violations } from './delivery-rules.ts';

// In each of these one chunk is one message.
for (const [transport, direction] of [
  ['websocket', 'toClient'],
  ['websocket', 'toServer'],
  ['rawwebsocket', 'toClient'],
  ['rawwebsocket', 'toServer'],
  ['xhr-streaming', 'toClient'],
  ['eventsource', 'toClient'],
  ['htmlfile', 'toClient'],
] as const) {
  for (const [fault, tamper] of Object.entries(TAMPERING)) {
    const receiver = direction === 'toClient' ? 'client' : 'server';
    test(`${transport}: a message to the ${receiver} that ${fault} is a violation`, async () => {
      const tampering = new TamperingStage(tamper);
      const history = await converse(
        {
          transport,
          stages: { [direction]: tampering.stage },
          settings: {},
          random: new SeededRandom('proof'),
          intact: true,
        },
        async (conversation) => {
          const send = (): void => {
            if (direction === 'toClient') conversation.serverSends(1);
            else conversation.clientSends(1);
          };
          send();
          await conversation.delivered();
          tampering.arm();
          send();
          await until(() => tampering.hasTampered, 'a chunk to tamper with');
          send();
          await conversation.delivered();
          await conversation.receiverAttached();
          conversation.closeClient();
          return 'client after delivery';
        },
      );
      const [violation, ...others] = violations(history);
      const expected = new RegExp(`^the ${receiver} received ".* as message [12], and "`);
      assert.match(violation ?? '', expected);
      assert.deepEqual(others, []);
    });
  }
}
