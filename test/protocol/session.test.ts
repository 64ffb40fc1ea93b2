/** The life of a session in virtual time: the table at the head of session.ts, by example and at random. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Frame } from '../../src/protocol/frame.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import type { CloseReason } from '../../src/base/close-reasons.ts';
import { SessionStateMachine, type SessionTimings } from '../../src/protocol/state-machine.ts';

const HEARTBEAT_DELAY = 25_000;
const DISCONNECT_DELAY = 5000;
const PING_TIMEOUT = 20_000;
const RENEWAL_DELAY = 60_000;
const RULES: SessionTimings = {
  heartbeatDelay: HEARTBEAT_DELAY,
  pingTimeout: PING_TIMEOUT,
  disconnectDelay: DISCONNECT_DELAY,
  streamRenewalDelay: RENEWAL_DELAY,
  maxMessagesPerSecond: 100,
};
const GO_AWAY: CloseReason = { code: 3000, reason: 'Go away!', cause: 'application' };
const INTERRUPTED = { code: 1002, reason: 'Connection interrupted', cause: 'interrupted' };
const VANISHED = { code: 1006, reason: 'Client is gone', cause: 'timeout' };

function polling(): SessionStateMachine {
  return new SessionStateMachine(RULES, true, 0);
}

function webSocket(): SessionStateMachine {
  return new SessionStateMachine(RULES, false, 0);
}

/** A session that has said `o` to a receiver that is still attached. */
function opened(session: SessionStateMachine): SessionStateMachine {
  assert.ok(session.attach(0));
  assert.equal(session.nextFrame(0)?.text, 'o');
  return session;
}

/** The texts of all frames that the session has to say now. */
function said(session: SessionStateMachine, now: number): string[] {
  const texts: string[] = [];
  for (let frame = session.nextFrame(now); frame !== undefined; frame = session.nextFrame(now)) {
    texts.push(frame.text);
  }
  return texts;
}

describe('connecting', () => {
  test('says nothing without a receiver', () => {
    assert.deepEqual(said(polling(), 0), []);
  });

  test('says o first, and is open then', () => {
    const session = polling();
    session.attach(0);
    assert.equal(session.state, 'connecting');
    assert.deepEqual(said(session, 0), ['o']);
    assert.equal(session.state, 'open');
  });

  test('takes no message', () => {
    assert.equal(polling().send(createMessage('x')), false);
  });

  test('closed without a receiver it is over at once', () => {
    const session = polling();
    session.close(GO_AWAY, 0);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.end, GO_AWAY);
  });

  test('closed with a receiver it says so', () => {
    const session = polling();
    session.attach(0);
    session.close(GO_AWAY, 0);
    assert.deepEqual(said(session, 0), ['c[3000,"Go away!"]']);
  });

  test('without any receiver it is over after disconnectDelay', () => {
    const session = polling();
    session.tick(DISCONNECT_DELAY - 1, false);
    assert.equal(session.state, 'connecting');
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.end, VANISHED);
  });
});

describe('open', () => {
  test('everything queued comes out as one frame', () => {
    const session = opened(polling());
    for (const text of ['a', 'b', 'c']) assert.ok(session.send(createMessage(text)));
    assert.equal(session.queuedBytes, 3 * createMessage('a').size);
    assert.deepEqual(said(session, 0), ['a["a","b","c"]']);
    assert.equal(session.queuedBytes, 0);
  });

  test('a second receiver is refused and the first goes on', () => {
    const session = opened(polling());
    assert.equal(session.attach(0), false);
    session.send(createMessage('a'));
    assert.deepEqual(said(session, 0), ['a["a"]']);
  });

  test('messages wait in order between receivers', () => {
    const session = opened(polling());
    session.detach(0);
    session.send(createMessage('a'));
    session.send(createMessage('b'));
    assert.deepEqual(said(session, 1), []);
    assert.ok(session.attach(2));
    assert.deepEqual(said(session, 2), ['a["a","b"]']);
  });

  test('with a receiver h is due after heartbeatDelay', () => {
    const session = opened(polling());
    session.tick(HEARTBEAT_DELAY - 1, false);
    assert.deepEqual(said(session, HEARTBEAT_DELAY - 1), []);
    session.tick(HEARTBEAT_DELAY, false);
    assert.deepEqual(said(session, HEARTBEAT_DELAY), ['h']);
    session.tick(2 * HEARTBEAT_DELAY, false);
    assert.deepEqual(said(session, 2 * HEARTBEAT_DELAY), ['h']);
  });

  test('messages take the place of a heartbeat, and put off the next', () => {
    const session = opened(polling());
    session.tick(HEARTBEAT_DELAY, false);
    session.send(createMessage('a'));
    assert.deepEqual(said(session, HEARTBEAT_DELAY), ['a["a"]']);
    assert.equal(session.deadline, 2 * HEARTBEAT_DELAY);
  });

  test('a heartbeat that found its receiver gone is forgotten', () => {
    const session = opened(polling());
    session.tick(HEARTBEAT_DELAY, false);
    session.detach(HEARTBEAT_DELAY);
    session.attach(HEARTBEAT_DELAY);
    assert.deepEqual(said(session, HEARTBEAT_DELAY), []);
  });

  test('without a receiver it is over after disconnectDelay, and late polls learn it for as long again', () => {
    const session = opened(polling());
    session.detach(100);
    session.send(createMessage('lost'));
    session.tick(100 + DISCONNECT_DELAY - 1, false);
    assert.equal(session.state, 'open');
    session.tick(100 + DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closing');
    assert.deepEqual(session.end, VANISHED);
    session.attach(101 + DISCONNECT_DELAY);
    assert.deepEqual(said(session, 101 + DISCONNECT_DELAY), ['c[1006,"Client is gone"]']);
    session.tick(100 + 2 * DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closed');
  });

  test('an answer that took its time to leave puts off the end', () => {
    const session = opened(polling());
    session.detach(0);
    session.awaitReceiver(4000);
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'open');
    session.tick(4000 + DISCONNECT_DELAY, false);
    assert.deepEqual(session.end, VANISHED);
  });

  test('a receiver that comes back in time keeps it alive', () => {
    const session = opened(polling());
    session.detach(0);
    session.attach(DISCONNECT_DELAY - 1);
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'open');
  });

  test('interrupted it is over, and what was queued is lost', () => {
    const session = opened(polling());
    session.send(createMessage('lost'));
    session.interrupt(10);
    assert.deepEqual(session.end, INTERRUPTED);
    assert.equal(session.queuedBytes, 0);
    session.attach(20);
    assert.deepEqual(said(session, 20), ['c[1002,"Connection interrupted"]']);
  });

  test('a WebSocket that is interrupted is closed at once, with its own end', () => {
    const session = opened(webSocket());
    session.interrupt(10, GO_AWAY);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.end, GO_AWAY);
  });
});

describe('closing', () => {
  test('what was queued goes out before the close frame, one frame to a poll', () => {
    const session = opened(polling());
    session.send(createMessage('last'));
    session.close(GO_AWAY, 0);
    assert.equal(session.nextFrame(0)?.text, 'a["last"]');
    session.detach(0);
    session.attach(1);
    assert.equal(session.nextFrame(1)?.text, 'c[3000,"Go away!"]');
  });

  test('every receiver gets the close frame once, until disconnectDelay is over', () => {
    const session = opened(polling());
    session.close(GO_AWAY, 0);
    for (const now of [1, 2, DISCONNECT_DELAY - 1]) {
      assert.deepEqual(said(session, now), ['c[3000,"Go away!"]']);
      session.detach(now);
      assert.ok(session.endSaid);
      session.attach(now);
    }
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closed');
    assert.deepEqual(said(session, DISCONNECT_DELAY), []);
  });

  test('polls do not put off its end', () => {
    const session = opened(polling());
    session.close(GO_AWAY, 0);
    session.detach(4000);
    assert.equal(session.deadline, DISCONNECT_DELAY);
  });

  test('takes no message and no second end', () => {
    const session = opened(polling());
    session.close(GO_AWAY, 0);
    assert.equal(session.send(createMessage('x')), false);
    session.close({ ...GO_AWAY, code: 4000 }, 1);
    session.interrupt(2);
    assert.deepEqual(session.end, GO_AWAY);
    assert.equal(session.state, 'closing');
  });

  test('a WebSocket is closed when its receiver is let go', () => {
    const session = opened(webSocket());
    session.close(GO_AWAY, 0);
    assert.deepEqual(said(session, 0), ['c[3000,"Go away!"]']);
    session.detach(1);
    assert.equal(session.state, 'closed');
  });

  test('a WebSocket that does not take its close frame is given up after disconnectDelay', () => {
    const session = opened(webSocket());
    session.send(createMessage('never taken'));
    session.close(GO_AWAY, 0);
    session.tick(DISCONNECT_DELAY, false);
    assert.equal(session.state, 'closed');
    assert.equal(session.queuedBytes, 0);
  });
});

describe('a WebSocket', () => {
  test('gets h every heartbeatDelay, whatever else is said', () => {
    const session = opened(webSocket());
    session.send(createMessage('a'));
    assert.deepEqual(said(session, 1000), ['a["a"]']);
    assert.equal(session.deadline, HEARTBEAT_DELAY);
    session.tick(HEARTBEAT_DELAY, false);
    assert.deepEqual(said(session, HEARTBEAT_DELAY), ['h']);
  });

  test('has pingTimeout from when h was written, and the next h comes in its time', () => {
    const session = opened(webSocket());
    session.tick(HEARTBEAT_DELAY, false);
    const written = HEARTBEAT_DELAY + 700;
    assert.deepEqual(said(session, written), ['h']);
    assert.equal(session.deadline, written + PING_TIMEOUT);
    session.tick(written + PING_TIMEOUT, true);
    assert.equal(session.state, 'open');
    assert.equal(session.deadline, written + HEARTBEAT_DELAY);
  });

  test('that is silent after h is closed at once', () => {
    const session = opened(webSocket());
    session.tick(HEARTBEAT_DELAY, true);
    assert.deepEqual(said(session, HEARTBEAT_DELAY), ['h']);
    session.tick(HEARTBEAT_DELAY + PING_TIMEOUT - 1, false);
    assert.equal(session.state, 'open');
    session.tick(HEARTBEAT_DELAY + PING_TIMEOUT, false);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.end, VANISHED);
  });

  test('gets h in its time also where pingTimeout is longer', () => {
    const session = new SessionStateMachine(
      { ...RULES, heartbeatDelay: 10, pingTimeout: 25 },
      false,
      0,
    );
    opened(session);
    for (const now of [10, 20, 30]) {
      assert.equal(session.deadline, now);
      session.tick(now, false);
      assert.deepEqual(said(session, now), ['h']);
    }
    assert.equal(session.deadline, 35);
    session.tick(35, false);
    assert.equal(session.state, 'closed');
  });

  test('that says anything after h has all of pingTimeout again', () => {
    const session = new SessionStateMachine(
      { ...RULES, heartbeatDelay: 10, pingTimeout: 25 },
      false,
      0,
    );
    opened(session);
    session.tick(10, false);
    assert.deepEqual(said(session, 10), ['h']);
    session.tick(20, true);
    assert.deepEqual(said(session, 20), ['h']);
    session.tick(44, false);
    assert.equal(session.state, 'open');
    session.tick(45, false);
    assert.equal(session.state, 'closed');
  });

  test('whose h could not be written yet has nothing to answer', () => {
    const session = opened(webSocket());
    session.tick(HEARTBEAT_DELAY, false);
    session.tick(2 * HEARTBEAT_DELAY, false);
    session.tick(3 * HEARTBEAT_DELAY, false);
    assert.equal(session.state, 'open');
  });
});

describe('a stream', () => {
  test('is stale once its client has been silent for streamRenewalDelay', () => {
    const session = opened(polling());
    assert.equal(session.isStale(RENEWAL_DELAY - 1), false);
    assert.ok(session.isStale(RENEWAL_DELAY));
  });

  test('is not stale while its client sends, or after it came anew', () => {
    const session = opened(polling());
    session.receive(1, RENEWAL_DELAY - 1);
    assert.equal(session.isStale(RENEWAL_DELAY), false);
    session.detach(2 * RENEWAL_DELAY);
    session.attach(2 * RENEWAL_DELAY);
    assert.equal(session.isStale(2 * RENEWAL_DELAY), false);
  });
});

describe('what a client sends', () => {
  test('is free up to what a second allows', () => {
    const session = opened(polling());
    session.receive(100, 0);
    assert.ok(session.debt(0) <= 0);
  });

  test('beyond that is owed, and paid by waiting', () => {
    const session = opened(polling());
    session.receive(150, 0);
    assert.equal(session.debt(0), 500);
    assert.equal(session.debt(500), 0);
    session.receive(1, 500);
    assert.equal(session.debt(500), 10);
  });

  test('without a limit nothing is owed', () => {
    const session = opened(
      new SessionStateMachine({ ...RULES, maxMessagesPerSecond: Infinity }, true, 0),
    );
    session.receive(1_000_000, 0);
    assert.ok(session.debt(0) <= 0);
  });
});

describe('hasLeft', () => {
  test('tells a client that was gone from one that may not know of the end yet', () => {
    const gone = opened(polling());
    gone.interrupt(0);
    assert.ok(gone.hasLeft);
    const unaware = opened(polling());
    unaware.detach(0);
    unaware.close(GO_AWAY, 0);
    assert.equal(unaware.hasLeft, false);
  });
});

describe('dropOldest', () => {
  test('takes back what has waited longest, until the rest fits', () => {
    const session = opened(polling());
    for (const text of ['a', 'b', 'c']) session.send(createMessage(text));
    const { size } = createMessage('a');
    assert.equal(session.dropOldest(2 * size), 1);
    assert.equal(session.queuedBytes, 2 * size);
    assert.deepEqual(said(session, 0), ['a["b","c"]']);
  });

  test('never takes the newest', () => {
    const session = opened(polling());
    assert.equal(session.dropOldest(0), 0);
    for (const text of ['a', 'b']) session.send(createMessage(text));
    assert.equal(session.dropOldest(0), 1);
    assert.deepEqual(said(session, 0), ['a["b"]']);
  });
});

describe('terminate', () => {
  test('is the end at once, whatever was still to be said', () => {
    const session = opened(polling());
    session.send(createMessage('a'));
    session.terminate(GO_AWAY, 0);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.end, GO_AWAY);
    assert.deepEqual(said(session, 0), []);
  });

  test('leaves an end that was decided before as it is', () => {
    const session = opened(polling());
    session.close(GO_AWAY, 0);
    session.terminate({ ...GO_AWAY, code: 4000 }, 0);
    assert.deepEqual(session.end, GO_AWAY);
  });
});

/**
 * A random history against what must hold in each: `o` at most once and first; messages in order, none
 * twice, none lost while the session lives; the close frame last, once for each receiver; nothing said and
 * nothing due after the end.
 */
class Model {
  readonly session: SessionStateMachine;
  now = 0;
  #sent = 0;
  #received = 0;
  #opens = 0;
  #lost = false;
  #attached = false;
  #closeFrames = 0;

  constructor(resumable: boolean) {
    this.session = new SessionStateMachine(RULES, resumable, 0);
  }

  attach(): void {
    const taken = this.session.attach(this.now);
    assert.equal(taken, !this.#attached);
    if (taken) this.#closeFrames = 0;
    this.#attached = true;
  }

  detach(): void {
    if (this.#attached) this.session.detach(this.now);
    this.#attached = false;
  }

  interrupt(): void {
    if (!this.#attached) return;
    this.session.interrupt(this.now);
    this.#attached = false;
    this.#lost = true;
  }

  send(): void {
    const taken = this.session.send(createMessage(String(this.#sent)));
    assert.equal(taken, this.session.state === 'open');
    if (taken) this.#sent += 1;
  }

  close(): void {
    this.session.close(GO_AWAY, this.now);
  }

  pull(): void {
    const ended = this.session.state === 'closed';
    const frame = this.session.nextFrame(this.now);
    if (frame === undefined) return;
    assert.ok(this.#attached, 'a frame without a receiver');
    assert.ok(!ended, 'a frame after the end');
    this.#check(frame);
  }

  wait(milliseconds: number, heard: boolean): void {
    this.now += milliseconds;
    const { end, state } = this.session;
    this.session.tick(this.now, heard);
    if (end === undefined && this.session.end !== undefined) this.#lost = true;
    if (this.session.state === 'closed') this.#lost = true;
    // A WebSocket that did not answer has no receiver any more.
    if (state === 'open' && this.session.state === 'closed') this.#attached = false;
  }

  drop(bytes: number): void {
    const before = this.session.queuedBytes;
    this.#received += this.session.dropOldest(bytes);
    assert.ok(this.session.queuedBytes <= before);
    assert.equal(this.session.queuedBytes > 0, before > 0, 'the newest stays');
  }

  receive(messages: number): void {
    this.session.receive(messages, this.now);
    assert.ok(this.session.debt(this.now) >= (messages - 100) * 10, 'what was used is owed');
  }

  verify(): void {
    const { session } = this;
    if (session.state === 'closed') {
      assert.notEqual(session.end, undefined);
      assert.equal(session.queuedBytes, 0);
    }
    assert.equal(
      session.end !== undefined,
      session.state === 'closing' || session.state === 'closed',
    );
    const waiting = this.#sent - this.#received;
    if (!this.#lost && session.state !== 'closed')
      assert.equal(session.queuedBytes > 0, waiting > 0);
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
          'what was queued comes before the close frame',
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
    weight: 2,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 30_000 }), fc.boolean()).map(
      ([time, heard]) =>
        (model: Model) =>
          model.wait(time, heard),
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
    arbitrary: fc
      .integer({ min: 0, max: 500 })
      .map((messages) => (model: Model) => model.receive(messages)),
  },
);

test('whatever happens in whatever order, the promises of a session hold', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 60 }), (resumable, steps) => {
      const model = new Model(resumable);
      for (const act of steps) {
        act(model);
        model.verify();
      }
    }),
    { numRuns: 3000 },
  );
});
