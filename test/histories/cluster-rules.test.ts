/** The checker accepts correct histories, and rejects each kind of broken one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliveryEvent } from '../faults/delivery-log.ts';
import type { ClusterEvent, ClusterEventBody, TopicEvent } from './cluster-log.ts';
import { clusterViolations } from './cluster-rules.ts';

const RULES = { disconnectDelay: 100 };

const OPENED: DeliveryEvent = { type: 'opened' };
const CLOSED = closed(1000);

function closed(code: number): DeliveryEvent {
  return { type: 'closed', status: { code, reason: '' } };
}

function sent(text: string): DeliveryEvent {
  return { type: 'sent', text };
}

function received(text: string): DeliveryEvent {
  return { type: 'received', text };
}

function client(...events: readonly DeliveryEvent[]): ClusterEventBody[] {
  return events.map((event) => ({ source: 'client', attempt: 1, event }));
}

function session(
  node: string,
  number: number,
  ...events: readonly DeliveryEvent[]
): ClusterEventBody[] {
  return events.map((event) => ({ source: 'session', attempt: 1, session: number, node, event }));
}

function topic(node: string, ...events: readonly TopicEvent[]): ClusterEventBody[] {
  return events.map((event) => ({ source: 'topic', node, topic: 'red', event }));
}

function published(node: string, ...texts: readonly string[]): ClusterEventBody[] {
  return topic(node, ...texts.map((text) => ({ type: 'published', text }) as const));
}

function delivered(node: string, from: string, ...texts: readonly string[]): ClusterEventBody[] {
  return topic(node, ...texts.map((text) => ({ type: 'delivered', from, text }) as const));
}

const EMPTIED: ClusterEventBody = { source: 'engine', event: 'emptied' };
const SETTLED: ClusterEventBody = { source: 'end', event: 'settled' };
const KILLED: ClusterEventBody = { source: 'node', node: 'n1', event: 'killed' };

/** Returns events with their times: 10 ms apart, and 1,000 ms where `null` stands. */
function timed(bodies: readonly (ClusterEventBody | null)[]): ClusterEvent[] {
  let at = 0;
  return bodies.flatMap((body) => {
    at += body === null ? 1000 : 10;
    return body === null ? [] : [{ ...body, at }];
  });
}

const JOINED = topic('n1', { type: 'joined' });
const OPEN = [...session('n1', 1, OPENED), ...client(OPENED)];
const CLOSE = [...client(CLOSED), ...session('n1', 1, CLOSED)];
const ECHO = [
  ...client(sent('a'), sent('b')),
  ...session('n1', 1, received('a'), received('b'), sent('A'), sent('B')),
  ...client(received('A'), received('B')),
];

interface Case {
  readonly title: string;
  readonly events: readonly (ClusterEventBody | null)[];
  /** Undefined if all rules are kept. */
  readonly violation?: RegExp;
}

const CASES: readonly Case[] = [
  { title: 'a complete history', events: [...OPEN, ...ECHO, SETTLED, ...CLOSE] },
  {
    title: 'a message to the client that is missing although both ends are open',
    events: [...OPEN, ...session('n1', 1, sent('A')), SETTLED, ...CLOSE],
    violation: /^attempt 1: the client received 0 of 1 messages$/,
  },
  {
    title: 'a message to the client that is missing because it has closed',
    events: [...OPEN, ...session('n1', 1, sent('A')), ...CLOSE, SETTLED],
  },
  {
    title: 'a message that is missing before the close code of the application',
    events: [...OPEN, ...session('n1', 1, sent('A'), closed(3000)), ...client(closed(3000))],
    violation: /^attempt 1: the client received 0 of 1 messages$/,
  },
  {
    title: 'a message to the session that is missing although both ends are open',
    events: [...OPEN, ...client(sent('a')), SETTLED, ...CLOSE],
    violation: /^attempt 1: the session received 0 of 1 messages$/,
  },
  {
    title: 'a message that the session receives twice',
    events: [
      ...OPEN,
      ...client(sent('a')),
      ...session('n1', 1, received('a'), received('a')),
      ...CLOSE,
    ],
    violation: /^attempt 1: the session received "a" as message 1/,
  },
  {
    title: 'messages out of order',
    events: [
      ...OPEN,
      ...client(sent('a'), sent('b')),
      ...session('n1', 1, received('b')),
      ...CLOSE,
    ],
    violation: /^attempt 1: the session received "b" as message 0/,
  },
  {
    title: 'two sessions of one attempt',
    events: [...OPEN, ...session('n2', 2, OPENED, CLOSED), ...CLOSE],
    violation: /^attempt 1: n2 opened a session that n1 had opened$/,
  },
  {
    title: 'two sessions of one attempt, after the engine has lost its records',
    events: [...OPEN, EMPTIED, ...session('n2', 2, OPENED, CLOSED), ...CLOSE],
  },
  {
    title: 'a session that is opened again after it was forgotten',
    events: [...OPEN, ...CLOSE, null, ...session('n2', 2, OPENED, CLOSED)],
  },
  {
    title: 'a session that is opened again before it was forgotten',
    events: [...OPEN, ...CLOSE, ...session('n2', 2, OPENED, CLOSED)],
    violation: /^attempt 1: n2 opened a session that n1 had opened$/,
  },
  {
    title: 'a session that is opened again after its node was killed',
    events: [...OPEN, KILLED, ...client(CLOSED), null, ...session('n2', 2, OPENED, CLOSED)],
    violation: /^attempt 1: n2 opened a session whose owner n1 was killed$/,
  },
  {
    title: 'a message that two sessions receive',
    events: [
      ...OPEN,
      ...client(sent('a')),
      ...session('n1', 1, received('a')),
      EMPTIED,
      ...session('n2', 2, OPENED, received('a'), CLOSED),
      ...CLOSE,
    ],
    violation: /^attempt 1: two sessions received the same message$/,
  },
  {
    title: 'a session without onClose',
    events: [...OPEN, ...client(CLOSED)],
    violation: /^attempt 1: the session on n1 closed 0 times$/,
  },
  {
    title: 'a session without onClose on a killed node',
    events: [...OPEN, KILLED, ...client(CLOSED)],
  },
  {
    title: 'a session with two calls of onClose',
    events: [...OPEN, ...CLOSE, ...session('n1', 1, CLOSED)],
    violation: /^attempt 1: the session on n1 closed 2 times$/,
  },
  {
    title: 'topic messages in order, of two publishers',
    events: [
      ...JOINED,
      ...published('n2', 'a', 'b'),
      ...published('n3', 'x'),
      ...delivered('n1', 'n2', 'a'),
      ...delivered('n1', 'n3', 'x'),
      ...delivered('n1', 'n2', 'b'),
      SETTLED,
    ],
  },
  {
    title: 'a topic message that is missing',
    events: [...JOINED, ...published('n2', 'a', 'b'), ...delivered('n1', 'n2', 'b'), SETTLED],
    violation: /^n1 did not receive a in red$/,
  },
  {
    title: 'a topic message that is missing and reported',
    events: [
      ...JOINED,
      ...published('n2', 'a', 'b'),
      ...topic('n1', { type: 'missed', from: 'n2' }),
      ...delivered('n1', 'n2', 'b'),
      SETTLED,
    ],
  },
  {
    title: 'a topic message that is missing, with a report about another publisher',
    events: [
      ...JOINED,
      ...published('n2', 'a'),
      ...topic('n1', { type: 'missed', from: 'n3' }),
      SETTLED,
    ],
    violation: /^n1 did not receive a in red$/,
  },
  {
    title: 'a topic message that is missing, with a report before it was published',
    events: [
      ...JOINED,
      ...topic('n1', { type: 'missed', from: undefined }),
      ...published('n2', 'a'),
      SETTLED,
    ],
    violation: /^n1 did not receive a in red$/,
  },
  {
    title: 'the last message of a publisher that was killed',
    events: [
      ...topic('n2', { type: 'joined' }),
      ...published('n1', 'a', 'b'),
      ...delivered('n2', 'n1', 'a'),
      KILLED,
      SETTLED,
    ],
  },
  {
    title: 'a message that is missing before another one of a publisher that was killed',
    events: [
      ...topic('n2', { type: 'joined' }),
      ...published('n1', 'a', 'b'),
      ...delivered('n2', 'n1', 'b'),
      KILLED,
      SETTLED,
    ],
    violation: /^n2 did not receive a in red$/,
  },
  {
    title: 'a topic message that is delivered twice',
    events: [...JOINED, ...published('n2', 'a'), ...delivered('n1', 'n2', 'a', 'a'), SETTLED],
    violation: /^n1 received a twice in red$/,
  },
  {
    title: 'topic messages out of order',
    events: [...JOINED, ...published('n2', 'a', 'b'), ...delivered('n1', 'n2', 'b', 'a')],
    violation: /^n1 received a out of order in red$/,
  },
  {
    title: 'a topic message that was not published',
    events: [...JOINED, ...delivered('n1', 'n2', 'a'), SETTLED],
    violation: /^n1 received a, which was not published in red$/,
  },
  {
    title: 'a topic message before the subscription and after its end',
    events: [
      ...published('n2', 'a'),
      ...JOINED,
      ...topic('n1', { type: 'left' }),
      ...published('n2', 'b'),
      SETTLED,
    ],
  },
  {
    title: 'a claim that is left',
    events: [...OPEN, ...CLOSE, { source: 'leftover', node: 'n1', event: '1 claims' }],
    violation: /^n1: 1 claims$/,
  },
];

for (const { title, events, violation } of CASES) {
  test(`${violation === undefined ? 'accepts' : 'rejects'} ${title}`, () => {
    const found = clusterViolations(timed(events), RULES);
    const rules = found.map(({ rule }) => rule);
    if (violation === undefined) return assert.deepEqual(rules, []);
    assert.equal(rules.length, 1, rules.join('; '));
    assert.match(rules[0] ?? '', violation);
    return assert.ok((found[0]?.events.length ?? 0) > 0);
  });
}
