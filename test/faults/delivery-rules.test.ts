/** The checker itself: it has nothing to say of an honest history, and something of every other one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as assertProperty, constantFrom, integer, property } from 'fast-check';
import { type Event, type History, Log, complaints } from './history.ts';

type Script = readonly (readonly ['opened' | 'sent' | 'received' | 'closed', string?])[];

function written(script: Script): Log {
  const log = new Log();
  for (const [what, text = ''] of script) {
    if (what === 'opened') log.opened();
    else if (what === 'closed') log.closed(1000, text);
    else log[what](text);
  }
  return log;
}

const texts = (who: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${who} ${index}`);

const SIDES = ['client', 'session'] as const;
type Side = (typeof SIDES)[number];

/** Both have opened, said so much to each other, and closed. */
function conversation(sent: number, received: number): Readonly<Record<Side, Event[]>> {
  const opened: Event = { what: 'opened' };
  const closed: Event = { what: 'closed', end: { code: 1000, reason: '' } };
  const event = (what: 'sent' | 'received') => (text: string) => ({ what, text }) as const;
  const [up, down] = [texts('client', sent), texts('server', received)];
  return {
    client: [opened, ...up.map(event('sent')), ...down.map(event('received')), closed],
    session: [opened, ...down.map(event('sent')), ...up.map(event('received')), closed],
  };
}

function logOf(events: readonly Event[]): Log {
  const log = new Log();
  log.events.push(...events);
  return log;
}

function history(
  client: readonly Event[],
  session: readonly Event[],
  endedBy: History['endedBy'],
): History {
  const intact = endedBy !== 'fault';
  return { client: logOf(client), session: logOf(session), others: [], endedBy, intact };
}

const COUNT = integer({ min: 0, max: 8 });
const ENDED_BY = constantFrom<History['endedBy'][]>(
  'client when all was quiet',
  'client',
  'server',
  'fault',
);

test('an honest history has no complaint', () => {
  assertProperty(
    property(COUNT, COUNT, ENDED_BY, (sent, received, endedBy) => {
      const { client, session } = conversation(sent, received);
      assert.deepEqual(complaints(history(client, session, endedBy)), []);
    }),
  );
});

/** What may be done to the events of an end that has received three messages at least. */
const CORRUPTIONS = {
  loses: (received: Event[], at: number) => received.toSpliced(at, 1),
  doubles: (received: Event[], at: number) =>
    received.toSpliced(at, 0, ...received.slice(at, at + 1)),
  repeats: (received: Event[], at: number) => [...received, ...received.slice(at, at + 1)],
  exchanges: (received: Event[], at: number) => [
    ...received.slice(0, at),
    ...received.slice(at, at + 2).toReversed(),
    ...received.slice(at + 2),
  ],
  invents: (received: Event[], at: number) =>
    received.toSpliced(at, 1, { what: 'received', text: 'hello' }),
} as const;

for (const [name, corrupt] of Object.entries(CORRUPTIONS)) {
  for (const side of SIDES) {
    test(`a ${side} that ${name} a message is found out, whatever ended it`, () => {
      const place = integer({ min: 0, max: 1 });
      assertProperty(
        property(place, ENDED_BY, (at, endedBy) => {
          const both = conversation(3, 3);
          const isReceived = ({ what }: Event): boolean => what === 'received';
          const rest = both[side].filter((event) => !isReceived(event));
          const corrupted = corrupt(both[side].filter(isReceived), at);
          const events = [...rest.slice(0, -1), ...corrupted, ...rest.slice(-1)];
          const client = side === 'client' ? events : both.client;
          const session = side === 'session' ? events : both.session;
          assert.notDeepEqual(complaints(history(client, session, endedBy)), []);
        }),
      );
    });
  }
}

const TALK: Script = [['opened'], ['sent', 'a'], ['received', 'b'], ['closed']];
const ANSWER: Script = [['opened'], ['sent', 'b'], ['received', 'a'], ['closed']];

interface Case {
  readonly rule: string;
  readonly client?: Script;
  readonly session?: Script;
  readonly others?: readonly Script[];
  readonly endedBy?: History['endedBy'];
  readonly intact?: boolean;
  readonly complaint?: RegExp;
}

const SILENT: Script = [['opened'], ['closed']];

const CASES: readonly Case[] = [
  {
    rule: 'a message that was under way when a connection was cut may be lost',
    client: [['opened'], ['sent', 'a'], ['closed']],
  },
  {
    rule: 'a client that closes may leave what waits in it unsent',
    session: [['opened'], ['sent', 'b'], ['closed']],
    endedBy: 'client',
  },
  {
    rule: 'a server that closes delivers what it has sent before',
    client: [['opened'], ['sent', 'a'], ['closed']],
    endedBy: 'server',
    complaint: /^the client received 0 of 1 messages$/,
  },
  {
    rule: 'the last message to the client may not be missing when all was quiet',
    client: [['opened'], ['sent', 'a'], ['closed']],
    endedBy: 'client when all was quiet',
    complaint: /^the client received 0 of 1 messages$/,
  },
  {
    rule: 'the last message to the server may not be missing when all was quiet',
    session: [['opened'], ['sent', 'b'], ['closed']],
    endedBy: 'client when all was quiet',
    complaint: /^the server received 0 of 1 messages$/,
  },
  {
    rule: 'a connection does not close where nothing was cut',
    intact: true,
    complaint: /^it closed without a fault$/,
  },
  {
    rule: 'a client that never opened may have no session',
    client: [['closed']],
    session: [],
  },
  {
    rule: 'or one that is none of its own',
    client: [['closed']],
    session: [],
    others: [SILENT],
  },
  {
    rule: 'a client closes also if it never opened',
    client: [],
    session: [],
    complaint: /^the client closed 0 times$/,
  },
  {
    rule: 'what nobody sent cannot be received',
    client: [['opened'], ['received', 'b'], ['closed']],
    session: SILENT,
    complaint: /^the client received "b" as message 0, and nothing more had been sent$/,
  },
  {
    rule: 'onClose is called for every onOpen',
    session: ANSWER.slice(0, -1),
    complaint: /^the session closed 0 times$/,
  },
  {
    rule: 'onClose is called once',
    session: [...ANSWER, ['closed']],
    complaint: /^the session closed 2 times$/,
  },
  {
    rule: 'no message comes after onClose',
    session: [['opened'], ['sent', 'b'], ['closed'], ['received', 'a']],
    complaint: /^the session has received as its last event$/,
  },
  {
    rule: 'no message comes after the close event of the client',
    client: [['opened'], ['sent', 'a'], ['closed'], ['received', 'b']],
    complaint: /^the client has received as its last event$/,
  },
  {
    rule: 'a client opens once',
    client: [['opened'], ...TALK],
    complaint: /^the client opened 2 times$/,
  },
  {
    rule: 'no message comes before the open event',
    client: [['received', 'b'], ['opened'], ['sent', 'a'], ['closed']],
    complaint: /^the client had a message before it opened$/,
  },
  {
    rule: 'a late request after a cut may open another session',
    others: [SILENT],
  },
  {
    rule: 'onClose is called for that one too',
    others: [[['opened']]],
    complaint: /^another session closed 0 times$/,
  },
  {
    rule: 'without a cut a client has one session',
    others: [SILENT],
    endedBy: 'client',
    intact: true,
    complaint: /^the client had 2 sessions$/,
  },
  {
    rule: 'two sessions do not receive the same message',
    others: [[['opened'], ['received', 'a'], ['closed']]],
    complaint: /^two sessions received the same message$/,
  },
  {
    rule: 'nor does another session receive what nobody sent',
    others: [[['opened'], ['received', 'c'], ['closed']]],
    complaint: /^another session received what nobody sent$/,
  },
  {
    rule: 'a close by the server arrives with its reason',
    client: [...TALK.slice(0, -1), ['closed', 'something else']],
    endedBy: 'server',
    complaint: /^the client was told .*something else.* of .*""/,
  },
];

for (const { rule, complaint, ...given } of CASES) {
  const { client = TALK, session = ANSWER, others = [] } = given;
  const { endedBy = 'fault', intact = false } = given;
  test(rule, () => {
    const ends = {
      client: written(client),
      session: written(session),
      others: others.map(written),
    };
    const found = complaints({ ...ends, endedBy, intact });
    if (complaint === undefined) return assert.deepEqual(found, []);
    assert.equal(found.length, 1, found.join('; '));
    return assert.match(found[0] ?? '', complaint);
  });
}
