/** One test per cell of the table, with the state machine. The expectations are written independently of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloseReason } from '../../src/base/close-reasons.ts';
import { SessionStateMachine } from '../../src/protocol/state-machine.ts';
import {
  INPUTS,
  STATES,
  type SessionInput,
  type SessionState,
  TRANSITIONS,
} from '../../src/protocol/transitions.ts';
import { createMessage } from '../../src/sessions/create-message.ts';

const TIMINGS = {
  heartbeatDelay: 1000,
  pingTimeout: 500,
  disconnectDelay: 100,
  streamRenewalDelay: 10_000,
  maxMessagesPerSecond: 100,
};
const FIRST: CloseReason = { code: 4000, reason: 'first', cause: 'application' };
const GIVEN: CloseReason = { code: 4001, reason: 'given', cause: 'application' };
const LATE = 1_000_000;

/** Brings a session into a state. It has a message queued wherever the state can have one. */
const SETUPS: Readonly<Record<SessionState, (session: SessionStateMachine) => void>> = {
  new() {},
  connecting(session) {
    session.attach(0, true);
  },
  open(session) {
    SETUPS.connecting(session);
    session.nextFrame(0);
    session.send(createMessage('queued'));
  },
  detached(session) {
    SETUPS.open(session);
    session.detach(0);
  },
  closing(session) {
    SETUPS.open(session);
    session.close(0, FIRST);
  },
  lingering(session) {
    SETUPS.detached(session);
    session.close(0, FIRST);
  },
  closed(session) {
    SETUPS.open(session);
    session.abort(0, FIRST);
  },
};

/** @returns a word for the outcome, or nothing */
const ACTIONS: Readonly<Record<SessionInput, (session: SessionStateMachine) => string | void>> = {
  attach: (session) => (session.attach(1, true) ? undefined : 'refused'),
  opened: (session) => (session.nextFrame(1)?.type === 'open' ? 'o' : undefined),
  detach: (session) => session.detach(1),
  interrupt: (session) => session.interrupt(1, GIVEN),
  fail: (session) => session.fail(1, GIVEN),
  close: (session) => session.close(1, GIVEN),
  abort: (session) => session.abort(1, GIVEN),
  deadline: (session) => session.tick(LATE, false),
};

/**
 * Outcomes: the next state, the code of a close reason (4000 decided before, 4001 given, 1006 timeout), `lost` if
 * the queued message is dropped, `left` if the client needs no close frame any more.
 */
const EXPECTED: Readonly<Record<SessionState, Readonly<Record<SessionInput, string>>>> = {
  new: {
    attach: 'connecting',
    opened: 'new',
    detach: 'new',
    interrupt: 'closed 4001',
    fail: 'closed 4001',
    close: 'closed 4001',
    abort: 'closed 4001',
    deadline: 'closed 1006',
  },
  connecting: {
    attach: 'connecting refused',
    opened: 'open o',
    detach: 'new',
    interrupt: 'closed 4001',
    fail: 'closing 4001',
    close: 'closing 4001',
    abort: 'closed 4001',
    deadline: 'closed 1006',
  },
  open: {
    attach: 'open refused',
    opened: 'open',
    detach: 'detached',
    interrupt: 'lingering 4001 lost left',
    fail: 'closing 4001 lost',
    close: 'closing 4001',
    abort: 'closed 4001 lost',
    deadline: 'open',
  },
  detached: {
    attach: 'open',
    opened: 'detached',
    detach: 'detached',
    interrupt: 'lingering 4001 lost left',
    fail: 'lingering 4001 lost left',
    close: 'lingering 4001',
    abort: 'closed 4001 lost',
    deadline: 'lingering 1006 lost left',
  },
  closing: {
    attach: 'closing 4000 refused',
    opened: 'closing 4000',
    detach: 'lingering 4000',
    interrupt: 'lingering 4000 lost',
    fail: 'closing 4000 lost',
    close: 'closing 4000',
    abort: 'closed 4000 lost',
    deadline: 'closed 4000 lost',
  },
  lingering: {
    attach: 'closing 4000',
    opened: 'lingering 4000',
    detach: 'lingering 4000',
    interrupt: 'lingering 4000 lost',
    fail: 'lingering 4000 lost',
    close: 'lingering 4000',
    abort: 'closed 4000 lost',
    deadline: 'closed 4000 lost',
  },
  closed: {
    attach: 'closed 4000 refused',
    opened: 'closed 4000',
    detach: 'closed 4000',
    interrupt: 'closed 4000',
    fail: 'closed 4000',
    close: 'closed 4000',
    abort: 'closed 4000',
    deadline: 'closed 4000',
  },
};

/** Cells that differ where a session may not be without a receiver. `detached` and `lingering` do not occur. */
const WITHOUT_DETACHING: Readonly<Partial<typeof EXPECTED>> = {
  open: {
    ...EXPECTED.open,
    detach: 'closed 1006 lost',
    interrupt: 'closed 4001 lost',
  },
  closing: {
    ...EXPECTED.closing,
    detach: 'closed 4000 lost',
    interrupt: 'closed 4000 lost',
  },
};

const STATE_NAMES = Object.keys(STATES) as SessionState[];
const INPUT_NAMES = Object.keys(INPUTS) as SessionInput[];

function outcome(state: SessionState, input: SessionInput, maxDetachedMs: number): string {
  const session = new SessionStateMachine(TIMINGS, maxDetachedMs, 0);
  SETUPS[state](session);
  assert.equal(session.state, state);
  const hasQueue = session.queuedBytes > 0;
  const word = ACTIONS[input](session);
  const parts: string[] = [session.state];
  if (session.closeReason !== undefined) parts.push(String(session.closeReason.code));
  if (typeof word === 'string') parts.push(word);
  // The input `opened` takes the message as a frame.
  if (hasQueue && session.queuedBytes === 0 && input !== 'opened') parts.push('lost');
  if (session.state === 'lingering' && !session.seemsOpen) parts.push('left');
  return parts.join(' ');
}

for (const state of STATE_NAMES) {
  for (const input of INPUT_NAMES) {
    test(`${state}, ${input}: ${EXPECTED[state][input]}`, () => {
      assert.equal(outcome(state, input, TIMINGS.disconnectDelay), EXPECTED[state][input]);
    });
  }
}

for (const state of ['new', 'connecting', 'open', 'closing', 'closed'] as const) {
  for (const input of INPUT_NAMES) {
    const expected = (WITHOUT_DETACHING[state] ?? EXPECTED[state])[input];
    test(`without detaching, ${state}, ${input}: ${expected}`, () => {
      assert.equal(outcome(state, input, 0), expected);
    });
  }
}

test('the close reason is decided by the transition that ends the session, and by no other', () => {
  const isOver = (state: SessionState): boolean => /^(closing|lingering|closed)$/.test(state);
  for (const state of STATE_NAMES) {
    for (const [input, { to, reason }] of Object.entries(TRANSITIONS[state])) {
      assert.equal(reason !== undefined, !isOver(state) && isOver(to), `${state}, ${input}`);
    }
  }
});

test('every state but closed is left by abort, and closed is final', () => {
  for (const state of STATE_NAMES) {
    assert.equal(TRANSITIONS[state].abort?.to, state === 'closed' ? undefined : 'closed');
  }
  assert.deepEqual(TRANSITIONS.closed, {});
});
