/** The checker accepts every correct history, and rejects every corrupted one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as assertProperty, constantFrom, integer, property } from 'fast-check';
import { type DeliveryEvent, DeliveryLog } from './delivery-log.ts';
import { type History, violations } from './delivery-rules.ts';

type Script = readonly (readonly ['opened' | 'sent' | 'received' | 'closed', string?])[];

function logOfScript(script: Script): DeliveryLog {
  const log = new DeliveryLog();
  for (const [type, text = ''] of script) {
    if (type === 'opened') log.opened();
    else if (type === 'closed') log.closed(1000, text);
    else log[type](text);
  }
  return log;
}

const texts = (sender: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${sender} ${index}`);

const SIDES = ['client', 'session'] as const;
type Side = (typeof SIDES)[number];

/** Both ends open, exchange all messages and close. */
function conversation(sent: number, received: number): Readonly<Record<Side, DeliveryEvent[]>> {
  const opened: DeliveryEvent = { type: 'opened' };
  const closed: DeliveryEvent = { type: 'closed', status: { code: 1000, reason: '' } };
  const event = (type: 'sent' | 'received') => (text: string) => ({ type, text }) as const;
  const [up, down] = [texts('client', sent), texts('server', received)];
  return {
    client: [opened, ...up.map(event('sent')), ...down.map(event('received')), closed],
    session: [opened, ...down.map(event('sent')), ...up.map(event('received')), closed],
  };
}

function logOf(events: readonly DeliveryEvent[]): DeliveryLog {
  const log = new DeliveryLog();
  log.events.push(...events);
  return log;
}

function history(
  client: readonly DeliveryEvent[],
  session: readonly DeliveryEvent[],
  endedBy: History['endedBy'],
): History {
  const intact = endedBy !== 'fault';
  return { client: logOf(client), session: logOf(session), others: [], endedBy, intact };
}

const COUNT = integer({ min: 0, max: 8 });
const ENDED_BY = constantFrom<History['endedBy'][]>(
  'client after delivery',
  'client',
  'server',
  'fault',
);

test('a correct history has no violation', () => {
  assertProperty(
    property(COUNT, COUNT, ENDED_BY, (sent, received, endedBy) => {
      const { client, session } = conversation(sent, received);
      assert.deepEqual(violations(history(client, session, endedBy)), []);
    }),
  );
});

/** Corruptions of the events of an end that has received at least three messages. */
const CORRUPTIONS = {
  loses: (received: DeliveryEvent[], at: number) => received.toSpliced(at, 1),
  duplicates: (received: DeliveryEvent[], at: number) =>
    received.toSpliced(at, 0, ...received.slice(at, at + 1)),
  repeats: (received: DeliveryEvent[], at: number) => [...received, ...received.slice(at, at + 1)],
  reorders: (received: DeliveryEvent[], at: number) => [
    ...received.slice(0, at),
    ...received.slice(at, at + 2).toReversed(),
    ...received.slice(at + 2),
  ],
  invents: (received: DeliveryEvent[], at: number) =>
    received.toSpliced(at, 1, { type: 'received', text: 'hello' }),
} as const;

for (const [name, corrupt] of Object.entries(CORRUPTIONS)) {
  for (const side of SIDES) {
    test(`a ${side} that ${name} a message violates a rule, whichever end closed`, () => {
      const place = integer({ min: 0, max: 1 });
      assertProperty(
        property(place, ENDED_BY, (at, endedBy) => {
          const both = conversation(3, 3);
          const isReceived = ({ type }: DeliveryEvent): boolean => type === 'received';
          const rest = both[side].filter((event) => !isReceived(event));
          const corrupted = corrupt(both[side].filter(isReceived), at);
          const events = [...rest.slice(0, -1), ...corrupted, ...rest.slice(-1)];
          const client = side === 'client' ? events : both.client;
          const session = side === 'session' ? events : both.session;
          assert.notDeepEqual(violations(history(client, session, endedBy)), []);
        }),
      );
    });
  }
}

const CLIENT: Script = [['opened'], ['sent', 'a'], ['received', 'b'], ['closed']];
const SESSION: Script = [['opened'], ['sent', 'b'], ['received', 'a'], ['closed']];

interface Case {
  readonly rule: string;
  readonly client?: Script;
  readonly session?: Script;
  readonly others?: readonly Script[];
  readonly endedBy?: History['endedBy'];
  readonly intact?: boolean;
  readonly violation?: RegExp;
}

const SILENT: Script = [['opened'], ['closed']];

const CASES: readonly Case[] = [
  {
    rule: 'a message in flight may be lost when a connection is cut',
    client: [['opened'], ['sent', 'a'], ['closed']],
  },
  {
    rule: 'a client that closes may drop its buffered messages',
    session: [['opened'], ['sent', 'b'], ['closed']],
    endedBy: 'client',
  },
  {
    rule: 'messages that the server has sent before it closes arrive',
    client: [['opened'], ['sent', 'a'], ['closed']],
    endedBy: 'server',
    violation: /^the client received 0 of 1 messages$/,
  },
  {
    rule: 'the last message to the client may not be missing after delivery',
    client: [['opened'], ['sent', 'a'], ['closed']],
    endedBy: 'client after delivery',
    violation: /^the client received 0 of 1 messages$/,
  },
  {
    rule: 'the last message to the server may not be missing after delivery',
    session: [['opened'], ['sent', 'b'], ['closed']],
    endedBy: 'client after delivery',
    violation: /^the server received 0 of 1 messages$/,
  },
  {
    rule: 'a connection does not close without a cut',
    intact: true,
    violation: /^it closed without a fault$/,
  },
  {
    rule: 'a client that never opened may have no session',
    client: [['closed']],
    session: [],
  },
  {
    rule: 'a client that never opened may have a session of a late request',
    client: [['closed']],
    session: [],
    others: [SILENT],
  },
  {
    rule: 'a client that never opened closes too',
    client: [],
    session: [],
    violation: /^the client closed 0 times$/,
  },
  {
    rule: 'a message that was not sent cannot be received',
    client: [['opened'], ['received', 'b'], ['closed']],
    session: SILENT,
    violation: /^the client received "b" as message 0, and nothing more had been sent$/,
  },
  {
    rule: 'onClose is called for every onOpen',
    session: SESSION.slice(0, -1),
    violation: /^the session closed 0 times$/,
  },
  {
    rule: 'onClose is called once',
    session: [...SESSION, ['closed']],
    violation: /^the session closed 2 times$/,
  },
  {
    rule: 'no message follows onClose',
    session: [['opened'], ['sent', 'b'], ['closed'], ['received', 'a']],
    violation: /^the session has received as its last event$/,
  },
  {
    rule: 'no message follows the close event of the client',
    client: [['opened'], ['sent', 'a'], ['closed'], ['received', 'b']],
    violation: /^the client has received as its last event$/,
  },
  {
    rule: 'a client opens once',
    client: [['opened'], ...CLIENT],
    violation: /^the client opened 2 times$/,
  },
  {
    rule: 'no message precedes the open event',
    client: [['received', 'b'], ['opened'], ['sent', 'a'], ['closed']],
    violation: /^the client had a message before it opened$/,
  },
  {
    rule: 'a late request after a cut may open another session',
    others: [SILENT],
  },
  {
    rule: 'onClose is called for the session of a late request',
    others: [[['opened']]],
    violation: /^another session closed 0 times$/,
  },
  {
    rule: 'without a cut a client has one session',
    others: [SILENT],
    endedBy: 'client',
    intact: true,
    violation: /^the client had 2 sessions$/,
  },
  {
    rule: 'two sessions do not receive the same message',
    others: [[['opened'], ['received', 'a'], ['closed']]],
    violation: /^two sessions received the same message$/,
  },
  {
    rule: 'another session does not receive a message that was not sent',
    others: [[['opened'], ['received', 'c'], ['closed']]],
    violation: /^another session received a message that was not sent$/,
  },
  {
    rule: 'a close by the server arrives with its reason',
    client: [...CLIENT.slice(0, -1), ['closed', 'something else']],
    endedBy: 'server',
    violation: /^the client closed with .*something else.* and the server with .*""/,
  },
];

for (const { rule, violation, ...given } of CASES) {
  const { client = CLIENT, session = SESSION, others = [] } = given;
  const { endedBy = 'fault', intact = false } = given;
  test(rule, () => {
    const ends = {
      client: logOfScript(client),
      session: logOfScript(session),
      others: others.map(logOfScript),
    };
    const found = violations({ ...ends, endedBy, intact });
    if (violation === undefined) return assert.deepEqual(found, []);
    assert.equal(found.length, 1, found.join('; '));
    return assert.match(found[0] ?? '', violation);
  });
}
