/** The state machine in virtual time: rules by example, and random histories. transitions.test.ts has the table. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Frame } from '../../src/protocol/frame.ts';
import { Message } from '../../src/protocol/message.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import type { CloseReason } from '../../src/base/close-reasons.ts';
import { SessionStateMachine, type SessionTimings } from '../../src/protocol/state-machine.ts';

const HEARTBEAT_DELAY = 25_000;
const DISCONNECT_DELAY = 5000;
const PING_TIMEOUT = 20_000;
const RENEWAL_DELAY = 60_000;
const TIMINGS: SessionTimings = {
  heartbeatDelay: HEARTBEAT_DELAY,
  pingTimeout: PING_TIMEOUT,
  disconnectDelay: DISCONNECT_DELAY,
  streamRenewalDelay: RENEWAL_DELAY,
};
const GO_AWAY: CloseReason = { code: 3000, reason: 'Go away!', cause: 'application' };
const INTERRUPTED: CloseReason = {
  code: 1002,
  reason: 'Connection interrupted',
  cause: 'interrupted',
};
const TIMED_OUT = { code: 1006, reason: 'Client is gone', cause: 'timeout' };

/** A session over HTTP, without a receiver. */
function polling(): SessionStateMachine {
  return new SessionStateMachine(TIMINGS, DISCONNECT_DELAY, 0);
}

/** A session over HTTP whose open frame is written to a receiver that is attached. */
function openPolling(timings = TIMINGS): SessionStateMachine {
  const session = new SessionStateMachine(timings, DISCONNECT_DELAY, 0);
  assert.ok(session.attach(0, true));
  assert.equal(session.nextFrame(0)?.text, 'o');
  return session;
}

/** A session over a WebSocket whose open frame is written. */
function openWebSocket(timings = TIMINGS): SessionStateMachine {
  const session = new SessionStateMachine(timings, 0, 0);
  assert.ok(session.attach(0, false));
  assert.equal(session.nextFrame(0)?.text, 'o');
  return session;
}

/** @returns the texts of all frames to be written now */
function frames(session: SessionStateMachine, now: number): string[] {
  const texts: string[] = [];
  for (let frame = session.nextFrame(now); frame !== undefined; frame = session.nextFrame(now)) {
    texts.push(frame.text);
  }
  return texts;
}

test('a frame has at most 16 MiB of messages, or one message', () => {
  const session = openPolling();
  const mebibytes = (count: number): Message => new Message('x', count * 1024 * 1024, false);
  for (const size of [8, 7, 2, 20, 1, 1]) session.send(mebibytes(size));
  assert.deepEqual(frames(session, 0), ['a["x","x"]', 'a["x"]', 'a["x"]', 'a["x","x"]']);
  assert.equal(session.queuedBytes, 0);
  assert.deepEqual(session.queue, []);
});

describe('before the open frame', () => {
  test('nothing is written without a receiver', () => {
    assert.deepEqual(frames(polling(), 0), []);
  });

  test('o is the first frame, and opens the session', () => {
    const session = polling();
    session.attach(0, true);
    assert.equal(session.state, 'connecting');
    assert.deepEqual(frames(session, 0), ['o']);
    assert.equal(session.state, 'open');
  });

  test('no message is accepted', () => {
    assert.equal(polling().send(createMessage('x')), false);
  });

  test('a session that is closed without a receiver is closed at once', () => {
    const session = polling();
    session.close(0, GO_AWAY);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.closeReason, GO_AWAY);
  });

  test('a session that is closed with a receiver writes the close frame', () => {
    const session = polling();
    session.attach(0, true);
    session.close(0, GO_AWAY);
    assert.deepEqual(frames(session, 0), ['c[3000,"Go away!"]']);
  });

  test('a session without any receiver is closed after disconnectDelay', () => {
    const session = polling();
    session.tick(DISCONNECT_DELAY - 1, false);
    assert.equal(session.state, 'new');
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.closeReason, TIMED_OUT);
  });
});

describe('open', () => {
  test('all queued messages go into one frame', () => {
    const session = openPolling();
    for (const text of ['a', 'b', 'c']) assert.ok(session.send(createMessage(text)));
    assert.equal(session.queuedBytes, 3 * createMessage('a').size);
    assert.equal(session.queue.length, 3);
    assert.deepEqual(frames(session, 0), ['a["a","b","c"]']);
    assert.equal(session.queuedBytes, 0);
  });

  test('a second receiver is refused and the first one stays attached', () => {
    const session = openPolling();
    assert.equal(session.attach(0, true), false);
    session.send(createMessage('a'));
    assert.deepEqual(frames(session, 0), ['a["a"]']);
  });

  test('messages are queued in order between receivers', () => {
    const session = openPolling();
    session.detach(0);
    session.send(createMessage('a'));
    session.send(createMessage('b'));
    assert.deepEqual(frames(session, 1), []);
    assert.ok(session.attach(2, true));
    assert.deepEqual(frames(session, 2), ['a["a","b"]']);
  });

  test('h is due after heartbeatDelay of idle time', () => {
    const session = openPolling();
    session.tick(HEARTBEAT_DELAY - 1, false);
    assert.deepEqual(frames(session, HEARTBEAT_DELAY - 1), []);
    session.tick(HEARTBEAT_DELAY, false);
    assert.deepEqual(frames(session, HEARTBEAT_DELAY), ['h']);
    session.tick(2 * HEARTBEAT_DELAY, false);
    assert.deepEqual(frames(session, 2 * HEARTBEAT_DELAY), ['h']);
  });

  test('messages replace a heartbeat that is due, and delay the next one', () => {
    const session = openPolling();
    session.tick(HEARTBEAT_DELAY, false);
    session.send(createMessage('a'));
    assert.deepEqual(frames(session, HEARTBEAT_DELAY), ['a["a"]']);
    assert.equal(session.deadline, 2 * HEARTBEAT_DELAY);
  });

  test('a heartbeat that was due before a detach is not written to the next receiver', () => {
    const session = openPolling();
    session.tick(HEARTBEAT_DELAY, false);
    session.detach(HEARTBEAT_DELAY);
    session.attach(HEARTBEAT_DELAY, true);
    assert.deepEqual(frames(session, HEARTBEAT_DELAY), []);
  });

  test('a session without a receiver ends after disconnectDelay, and a late poll gets the close frame for as long again', () => {
    const session = openPolling();
    session.detach(100);
    session.send(createMessage('lost'));
    session.tick(100 + DISCONNECT_DELAY - 1, false);
    assert.equal(session.state, 'detached');
    session.tick(100 + DISCONNECT_DELAY, false);
    assert.equal(session.state, 'lingering');
    assert.deepEqual(session.closeReason, TIMED_OUT);
    session.attach(101 + DISCONNECT_DELAY, true);
    assert.deepEqual(frames(session, 101 + DISCONNECT_DELAY), ['c[1006,"Client is gone"]']);
    session.tick(100 + 2 * DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closed');
  });

  test('the time limit starts again when the last response has been delivered', () => {
    const session = openPolling();
    session.detach(0);
    session.delivered(4000);
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'detached');
    session.tick(4000 + DISCONNECT_DELAY, false);
    assert.deepEqual(session.closeReason, TIMED_OUT);
  });

  test('a receiver that attaches in time keeps the session open', () => {
    const session = openPolling();
    session.detach(0);
    session.attach(DISCONNECT_DELAY - 1, true);
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'open');
  });

  test('an interrupted session ends and drops its queue', () => {
    const session = openPolling();
    session.send(createMessage('lost'));
    session.interrupt(10, INTERRUPTED);
    assert.deepEqual(session.closeReason, INTERRUPTED);
    assert.equal(session.queuedBytes, 0);
    session.attach(20, true);
    assert.deepEqual(frames(session, 20), ['c[1002,"Connection interrupted"]']);
  });

  test('a session over a WebSocket that has closed is closed at once, with its close reason', () => {
    const session = openWebSocket();
    session.interrupt(10, GO_AWAY);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.closeReason, GO_AWAY);
  });
});

describe('closing', () => {
  test('queued messages are written before the close frame, one frame per poll', () => {
    const session = openPolling();
    session.send(createMessage('last'));
    session.close(0, GO_AWAY);
    assert.equal(session.nextFrame(0)?.text, 'a["last"]');
    session.detach(0);
    session.attach(1, true);
    assert.equal(session.nextFrame(1)?.text, 'c[3000,"Go away!"]');
  });

  test('every receiver gets the close frame once, until disconnectDelay has passed', () => {
    const session = openPolling();
    session.close(0, GO_AWAY);
    for (const now of [1, 2, DISCONNECT_DELAY - 1]) {
      assert.deepEqual(frames(session, now), ['c[3000,"Go away!"]']);
      session.detach(now);
      assert.ok(session.isSettled);
      session.attach(now, true);
    }
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closed');
    assert.deepEqual(frames(session, DISCONNECT_DELAY), []);
  });

  test('the time to fetch the close frame starts again when the last response has been delivered', () => {
    const session = openPolling();
    session.close(0, GO_AWAY);
    session.detach(1);
    session.delivered(4000);
    assert.equal(session.deadline, 4000 + DISCONNECT_DELAY);
  });

  test('it does not start again for further close frames', () => {
    const session = openPolling();
    session.close(0, GO_AWAY);
    for (const now of [1000, 2000, 3000]) {
      assert.deepEqual(frames(session, now), ['c[3000,"Go away!"]']);
      session.detach(now);
      session.delivered(now);
      session.attach(now, true);
    }
    assert.equal(session.deadline, 1000 + DISCONNECT_DELAY);
  });

  test('polls do not delay the deadline', () => {
    const session = openPolling();
    session.close(0, GO_AWAY);
    session.detach(4000);
    assert.equal(session.deadline, DISCONNECT_DELAY);
  });

  test('no message is accepted, and the first close reason stays', () => {
    const session = openPolling();
    session.close(0, GO_AWAY);
    assert.equal(session.send(createMessage('x')), false);
    session.close(1, { ...GO_AWAY, code: 4000 });
    session.interrupt(2, INTERRUPTED);
    assert.deepEqual(session.closeReason, GO_AWAY);
    assert.equal(session.state, 'lingering');
  });

  test('a session over a WebSocket is closed when its receiver is detached', () => {
    const session = openWebSocket();
    session.close(0, GO_AWAY);
    assert.deepEqual(frames(session, 0), ['c[3000,"Go away!"]']);
    session.detach(1);
    assert.equal(session.state, 'closed');
  });

  test('a session over a WebSocket is closed after disconnectDelay if the close frame is not taken', () => {
    const session = openWebSocket();
    session.send(createMessage('never taken'));
    session.close(0, GO_AWAY);
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closed');
    assert.equal(session.queuedBytes, 0);
  });
});

describe('over a WebSocket', () => {
  test('h is due every heartbeatDelay, idle or not', () => {
    const session = openWebSocket();
    session.send(createMessage('a'));
    assert.deepEqual(frames(session, 1000), ['a["a"]']);
    assert.equal(session.deadline, HEARTBEAT_DELAY);
    session.tick(HEARTBEAT_DELAY, false);
    assert.deepEqual(frames(session, HEARTBEAT_DELAY), ['h']);
  });

  test('pingTimeout starts when h is written, and does not delay the next h', () => {
    const session = openWebSocket();
    session.tick(HEARTBEAT_DELAY, false);
    const written = HEARTBEAT_DELAY + 700;
    assert.deepEqual(frames(session, written), ['h']);
    assert.equal(session.deadline, written + PING_TIMEOUT);
    session.tick(written + PING_TIMEOUT, true);
    assert.equal(session.state, 'open');
    assert.equal(session.deadline, written + HEARTBEAT_DELAY);
  });

  test('a client that sends nothing after h is closed after pingTimeout', () => {
    const session = openWebSocket();
    session.tick(HEARTBEAT_DELAY, true);
    assert.deepEqual(frames(session, HEARTBEAT_DELAY), ['h']);
    session.tick(HEARTBEAT_DELAY + PING_TIMEOUT - 1, false);
    assert.equal(session.state, 'open');
    session.tick(HEARTBEAT_DELAY + PING_TIMEOUT, false);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.closeReason, TIMED_OUT);
  });

  test('h is due every heartbeatDelay also if pingTimeout is longer', () => {
    const session = openWebSocket({ ...TIMINGS, heartbeatDelay: 10, pingTimeout: 25 });
    for (const now of [10, 20, 30]) {
      assert.equal(session.deadline, now);
      session.tick(now, false);
      assert.deepEqual(frames(session, now), ['h']);
    }
    assert.equal(session.deadline, 35);
    session.tick(35, false);
    assert.equal(session.state, 'closed');
  });

  test('input after h starts pingTimeout again', () => {
    const session = openWebSocket({ ...TIMINGS, heartbeatDelay: 10, pingTimeout: 25 });
    session.tick(10, false);
    assert.deepEqual(frames(session, 10), ['h']);
    session.tick(20, true);
    assert.deepEqual(frames(session, 20), ['h']);
    session.tick(44, false);
    assert.equal(session.state, 'open');
    session.tick(45, false);
    assert.equal(session.state, 'closed');
  });

  test('pingTimeout does not start before h is written', () => {
    const session = openWebSocket();
    session.tick(HEARTBEAT_DELAY, false);
    session.tick(2 * HEARTBEAT_DELAY, false);
    session.tick(3 * HEARTBEAT_DELAY, false);
    assert.equal(session.state, 'open');
  });
});

describe('a stream', () => {
  test('is stale after streamRenewalDelay without input', () => {
    const session = openPolling();
    assert.equal(session.isStale(RENEWAL_DELAY - 1), false);
    assert.ok(session.isStale(RENEWAL_DELAY));
  });

  test('is not stale after input, or after the next receiver is attached', () => {
    const session = openPolling();
    session.onInput(RENEWAL_DELAY - 1);
    assert.equal(session.isStale(RENEWAL_DELAY), false);
    session.detach(2 * RENEWAL_DELAY);
    session.attach(2 * RENEWAL_DELAY, true);
    assert.equal(session.isStale(2 * RENEWAL_DELAY), false);
  });

  test('is never stale over a WebSocket', () => {
    assert.equal(openWebSocket().isStale(RENEWAL_DELAY), false);
  });
});

describe('seemsOpen', () => {
  test('is true for a session that is open, with and without a receiver', () => {
    const session = openPolling();
    assert.ok(session.seemsOpen);
    session.detach(0);
    assert.ok(session.seemsOpen);
  });

  test('is true while the client may not know of the end', () => {
    const session = openPolling();
    session.detach(0);
    session.close(0, GO_AWAY);
    assert.ok(session.seemsOpen);
    session.attach(1, true);
    assert.ok(session.seemsOpen);
  });

  test('is false after the client has left, also for a late poll', () => {
    const session = openPolling();
    session.interrupt(0, INTERRUPTED);
    assert.equal(session.seemsOpen, false);
    session.attach(1, true);
    assert.equal(session.seemsOpen, false);
  });

  test('is false before the open frame and after the end', () => {
    const session = polling();
    assert.equal(session.seemsOpen, false);
    session.abort(0, GO_AWAY);
    assert.equal(session.seemsOpen, false);
  });
});

describe('isSettled', () => {
  test('is false until the close frame is written and its receiver is detached', () => {
    const session = openPolling();
    session.close(0, GO_AWAY);
    assert.equal(session.isSettled, false);
    assert.deepEqual(frames(session, 0), ['c[3000,"Go away!"]']);
    assert.equal(session.isSettled, false);
    session.detach(0);
    assert.ok(session.isSettled);
  });

  test('is false while a session that was closed between polls waits for the next one', () => {
    const session = openPolling();
    session.detach(0);
    session.close(0, GO_AWAY);
    assert.equal(session.isSettled, false);
  });

  test('is true if the client has left, or the session is closed', () => {
    const left = openPolling();
    left.interrupt(0, INTERRUPTED);
    assert.ok(left.isSettled);
    const closed = polling();
    closed.close(0, GO_AWAY);
    assert.ok(closed.isSettled);
  });
});

describe('dropOldest', () => {
  test('drops the oldest messages until the rest fits', () => {
    const session = openPolling();
    for (const text of ['a', 'b', 'c']) session.send(createMessage(text));
    const { size } = createMessage('a');
    assert.equal(session.dropOldest(2 * size), 1);
    assert.equal(session.queuedBytes, 2 * size);
    assert.deepEqual(frames(session, 0), ['a["b","c"]']);
  });

  test('never drops the newest message', () => {
    const session = openPolling();
    assert.equal(session.dropOldest(0), 0);
    for (const text of ['a', 'b']) session.send(createMessage(text));
    assert.equal(session.dropOldest(0), 1);
    assert.deepEqual(frames(session, 0), ['a["b"]']);
  });
});

describe('abort', () => {
  test('closes at once, without queued messages and close frame', () => {
    const session = openPolling();
    session.send(createMessage('a'));
    session.abort(0, GO_AWAY);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.closeReason, GO_AWAY);
    assert.deepEqual(frames(session, 0), []);
  });

  test('leaves a close reason that was decided before', () => {
    const session = openPolling();
    session.close(0, GO_AWAY);
    session.abort(0, { ...GO_AWAY, code: 4000 });
    assert.deepEqual(session.closeReason, GO_AWAY);
  });
});

/**
 * Checks a random history against what holds in each: `o` once and first; messages in order, none twice, none
 * lost while the session lives; the close frame last, once for each receiver; no frame after the end.
 */
class Model {
  readonly session: SessionStateMachine;
  now = 0;
  readonly #isRenewable: boolean;
  #sent = 0;
  #received = 0;
  #opens = 0;
  #lost = false;
  #attached = false;
  #closeFrames = 0;

  constructor(maxDetachedMs: number, isRenewable: boolean) {
    this.session = new SessionStateMachine(TIMINGS, maxDetachedMs, 0);
    this.#isRenewable = isRenewable;
  }

  attach(): void {
    const isFree = !this.#attached && this.session.state !== 'closed';
    assert.equal(this.session.attach(this.now, this.#isRenewable), isFree);
    if (!isFree) return;
    this.#closeFrames = 0;
    this.#attached = true;
  }

  detach(): void {
    if (this.#attached) this.session.detach(this.now);
    this.#attached = false;
    if (this.session.state === 'closed') this.#lost = true;
  }

  interrupt(): void {
    if (!this.#attached) return;
    this.session.interrupt(this.now, INTERRUPTED);
    this.#attached = false;
    this.#lost = true;
  }

  fail(): void {
    this.session.fail(this.now, INTERRUPTED);
    this.#lost = true;
  }

  send(): void {
    const isOpen = this.session.state === 'open' || this.session.state === 'detached';
    assert.equal(this.session.send(createMessage(String(this.#sent))), isOpen);
    if (isOpen) this.#sent += 1;
  }

  close(): void {
    this.session.close(this.now, GO_AWAY);
  }

  abort(): void {
    this.session.abort(this.now, GO_AWAY);
    assert.equal(this.session.state, 'closed');
  }

  pull(): void {
    const { state } = this.session;
    const frame = this.session.nextFrame(this.now);
    if (frame === undefined) return;
    assert.ok(this.#attached, 'a frame without a receiver');
    assert.notEqual(state, 'closed', 'a frame after the end');
    this.#check(frame);
  }

  wait(milliseconds: number, hasInput: boolean): void {
    this.now += milliseconds;
    const { closeReason, state } = this.session;
    this.session.tick(this.now, hasInput);
    if (closeReason === undefined && this.session.closeReason !== undefined) this.#lost = true;
    if (this.session.state === 'closed') this.#lost = true;
    // A client that does not answer a ping has no receiver any more.
    if (state === 'open' && this.session.state !== 'open') this.#attached = false;
  }

  drop(bytes: number): void {
    const before = this.session.queuedBytes;
    this.#received += this.session.dropOldest(bytes);
    assert.ok(this.session.queuedBytes <= before);
    assert.equal(this.session.queuedBytes > 0, before > 0, 'the newest stays');
  }

  receive(): void {
    this.session.onInput(this.now);
  }

  verify(): void {
    const { state, closeReason, queuedBytes, isOpen } = this.session;
    if (state === 'closed') assert.equal(queuedBytes, 0);
    assert.equal(isOpen, state === 'open' || state === 'detached');
    const isOver = state === 'closing' || state === 'lingering' || state === 'closed';
    assert.equal(closeReason !== undefined, isOver);
    if (state !== 'closed') {
      const hasReceiver = state === 'connecting' || state === 'open' || state === 'closing';
      assert.equal(hasReceiver, this.#attached);
    }
    const waiting = this.#sent - this.#received;
    if (!this.#lost && state !== 'closed') assert.equal(queuedBytes > 0, waiting > 0);
  }

  #check(frame: Frame): void {
    switch (frame.type) {
      case 'open':
        assert.equal(this.#received, 0, 'o is first');
        this.#opens += 1;
        assert.equal(this.#opens, 1, 'o comes once');
        break;
      case 'messages':
        for (const { data } of frame.messages) {
          assert.equal(data, String(this.#received), 'in order, none twice, none lost');
          this.#received += 1;
        }
        break;
      case 'close':
        assert.ok(
          this.#lost || this.#received === this.#sent,
          'queued messages come before the close frame',
        );
        this.#closeFrames += 1;
        assert.equal(this.#closeFrames, 1, 'once for each receiver');
        break;
      case 'heartbeat':
        assert.equal(this.session.state, 'open');
        break;
    }
  }
}

const step: fc.Arbitrary<(model: Model) => void> = fc.oneof(
  { weight: 4, arbitrary: fc.constant((model: Model) => model.send()) },
  { weight: 4, arbitrary: fc.constant((model: Model) => model.pull()) },
  { weight: 3, arbitrary: fc.constant((model: Model) => model.attach()) },
  { weight: 3, arbitrary: fc.constant((model: Model) => model.detach()) },
  { weight: 1, arbitrary: fc.constant((model: Model) => model.interrupt()) },
  { weight: 1, arbitrary: fc.constant((model: Model) => model.close()) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('fail', 'abort').map((name) => (model: Model) => model[name]()),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 30_000 }), fc.boolean()).map(
      ([time, hasInput]) =>
        (model: Model) =>
          model.wait(time, hasInput),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 0, max: 1000 })
      .map((bytes) => (model: Model) => model.drop(bytes)),
  },
  {
    weight: 1,
    arbitrary: fc.constant((model: Model) => model.receive()),
  },
);

for (const [name, maxDetachedMs, isRenewable] of [
  ['HTTP', DISCONNECT_DELAY, true],
  ['a WebSocket', 0, false],
  ['a WebSocket that may be followed by another', DISCONNECT_DELAY, false],
] as const) {
  test(`the guarantees of a session over ${name} hold for inputs in any order`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const model = new Model(maxDetachedMs, isRenewable);
        for (const act of steps) {
          act(model);
          model.verify();
        }
      }),
      { numRuns: 1500 },
    );
  });
}

describe('time that the process has lost', () => {
  test('postpones disconnectDelay, and not beyond a whole one', () => {
    const session = openPolling();
    session.detach(0);
    session.postpone(10_000, 6000);
    assert.equal(session.deadline, DISCONNECT_DELAY + 6000);
    session.postpone(10_000, 60_000);
    assert.equal(session.deadline, 10_000 + DISCONNECT_DELAY);
    session.tick(session.deadline - 1, false);
    assert.equal(session.state, 'detached');
  });

  test('postpones the time limit for the close frame', () => {
    const session = openPolling();
    session.close(0, GO_AWAY);
    session.postpone(10_000, 6000);
    assert.equal(session.deadline, DISCONNECT_DELAY + 6000);
  });

  test('postpones pingTimeout, and not beyond a whole one', () => {
    const session = openWebSocket();
    session.tick(HEARTBEAT_DELAY, false);
    assert.deepEqual(frames(session, HEARTBEAT_DELAY), ['h']);
    const silentSince = HEARTBEAT_DELAY;
    session.postpone(silentSince + 10_000, 3000);
    assert.equal(session.deadline, silentSince + PING_TIMEOUT + 3000);
    session.postpone(silentSince + 10_000, 60_000);
    assert.ok(session.deadline <= silentSince + 10_000 + PING_TIMEOUT);
  });

  test('does not postpone a heartbeat', () => {
    for (const session of [openWebSocket(), openPolling()]) {
      session.postpone(10_000, 6000);
      assert.equal(session.deadline, HEARTBEAT_DELAY);
    }
  });
});
