/** The life of a session in virtual time: the table at the head of session.ts, by example and at random. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Frame } from '../../src/protocol/frame.ts';
import { Message } from '../../src/protocol/message.ts';
import { Session } from '../../src/protocol/session.ts';

const HEARTBEAT_DELAY = 25_000;
const DISCONNECT_DELAY = 5000;
const TIMING = { heartbeatDelay: HEARTBEAT_DELAY, disconnectDelay: DISCONNECT_DELAY };
const GO_AWAY = { code: 3000, reason: 'Go away!' };
const INTERRUPTED = { code: 1002, reason: 'Connection interrupted' };
const VANISHED = { code: 1006, reason: 'Client is gone' };

function polling(): Session {
  return new Session(TIMING, true, 0);
}

function webSocket(): Session {
  return new Session(TIMING, false, 0);
}

/** A session that has said `o` to a receiver that is still attached. */
function opened(session: Session): Session {
  assert.ok(session.attach(0));
  assert.equal(session.nextFrame(0)?.text, 'o');
  return session;
}

/** The texts of all frames that the session has to say now. */
function said(session: Session, now: number): string[] {
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
    assert.equal(polling().send(new Message('x')), false);
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
    session.tick(DISCONNECT_DELAY - 1);
    assert.equal(session.state, 'connecting');
    session.tick(DISCONNECT_DELAY);
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.end, VANISHED);
  });
});

describe('open', () => {
  test('everything queued comes out as one frame', () => {
    const session = opened(polling());
    for (const text of ['a', 'b', 'c']) assert.ok(session.send(new Message(text)));
    assert.equal(session.queuedBytes, 3 * new Message('a').size);
    assert.deepEqual(said(session, 0), ['a["a","b","c"]']);
    assert.equal(session.queuedBytes, 0);
  });

  test('a second receiver is refused and the first goes on', () => {
    const session = opened(polling());
    assert.equal(session.attach(0), false);
    session.send(new Message('a'));
    assert.deepEqual(said(session, 0), ['a["a"]']);
  });

  test('messages wait in order between receivers', () => {
    const session = opened(polling());
    session.detach(0);
    session.send(new Message('a'));
    session.send(new Message('b'));
    assert.deepEqual(said(session, 1), []);
    assert.ok(session.attach(2));
    assert.deepEqual(said(session, 2), ['a["a","b"]']);
  });

  test('with a receiver h is due after heartbeatDelay', () => {
    const session = opened(polling());
    session.tick(HEARTBEAT_DELAY - 1);
    assert.deepEqual(said(session, HEARTBEAT_DELAY - 1), []);
    session.tick(HEARTBEAT_DELAY);
    assert.deepEqual(said(session, HEARTBEAT_DELAY), ['h']);
    session.tick(2 * HEARTBEAT_DELAY);
    assert.deepEqual(said(session, 2 * HEARTBEAT_DELAY), ['h']);
  });

  test('messages take the place of a heartbeat, and put off the next', () => {
    const session = opened(polling());
    session.tick(HEARTBEAT_DELAY);
    session.send(new Message('a'));
    assert.deepEqual(said(session, HEARTBEAT_DELAY), ['a["a"]']);
    assert.equal(session.deadline, 2 * HEARTBEAT_DELAY);
  });

  test('a heartbeat that found its receiver gone is forgotten', () => {
    const session = opened(polling());
    session.tick(HEARTBEAT_DELAY);
    session.detach(HEARTBEAT_DELAY);
    session.attach(HEARTBEAT_DELAY);
    assert.deepEqual(said(session, HEARTBEAT_DELAY), []);
  });

  test('without a receiver it is over after disconnectDelay, and late polls learn it for as long again', () => {
    const session = opened(polling());
    session.detach(100);
    session.send(new Message('lost'));
    session.tick(100 + DISCONNECT_DELAY - 1);
    assert.equal(session.state, 'open');
    session.tick(100 + DISCONNECT_DELAY);
    assert.equal(session.state, 'closing');
    assert.deepEqual(session.end, VANISHED);
    session.attach(101 + DISCONNECT_DELAY);
    assert.deepEqual(said(session, 101 + DISCONNECT_DELAY), ['c[1006,"Client is gone"]']);
    session.tick(100 + 2 * DISCONNECT_DELAY);
    assert.equal(session.state, 'closed');
  });

  test('an answer that took its time to leave puts off the end', () => {
    const session = opened(polling());
    session.detach(0);
    session.awaitReceiver(4000);
    session.tick(DISCONNECT_DELAY);
    assert.equal(session.state, 'open');
    session.tick(4000 + DISCONNECT_DELAY);
    assert.deepEqual(session.end, VANISHED);
  });

  test('a receiver that comes back in time keeps it alive', () => {
    const session = opened(polling());
    session.detach(0);
    session.attach(DISCONNECT_DELAY - 1);
    session.tick(DISCONNECT_DELAY);
    assert.equal(session.state, 'open');
  });

  test('interrupted it is over, and what was queued is lost', () => {
    const session = opened(polling());
    session.send(new Message('lost'));
    session.interrupt(10);
    assert.deepEqual(session.end, INTERRUPTED);
    assert.equal(session.queuedBytes, 0);
    session.attach(20);
    assert.deepEqual(said(session, 20), ['c[1002,"Connection interrupted"]']);
  });

  test('a WebSocket that is interrupted is closed at once, with its own end', () => {
    const session = opened(webSocket());
    session.interrupt(10, { code: 1000, reason: 'bye' });
    assert.equal(session.state, 'closed');
    assert.deepEqual(session.end, { code: 1000, reason: 'bye' });
  });
});

describe('closing', () => {
  test('what was queued goes out before the close frame, one frame to a poll', () => {
    const session = opened(polling());
    session.send(new Message('last'));
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
    session.tick(DISCONNECT_DELAY);
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
    assert.equal(session.send(new Message('x')), false);
    session.close({ code: 4000, reason: 'other' }, 1);
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
    session.send(new Message('never taken'));
    session.close(GO_AWAY, 0);
    session.tick(DISCONNECT_DELAY);
    assert.equal(session.state, 'closed');
    assert.equal(session.queuedBytes, 0);
  });
});

/**
 * A random history against what must hold in each: `o` at most once and first; messages in order, none
 * twice, none lost while the session lives; the close frame last, once for each receiver; nothing said and
 * nothing due after the end.
 */
class Model {
  readonly session: Session;
  now = 0;
  #sent = 0;
  #received = 0;
  #opens = 0;
  #lost = false;
  #attached = false;
  #closeFrames = 0;

  constructor(resumable: boolean) {
    this.session = new Session(TIMING, resumable, 0);
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
    const taken = this.session.send(new Message(String(this.#sent)));
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

  wait(milliseconds: number): void {
    this.now += milliseconds;
    const { end } = this.session;
    this.session.tick(this.now);
    if (end === undefined && this.session.end !== undefined) this.#lost = true;
    if (this.session.state === 'closed') this.#lost = true;
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
    arbitrary: fc
      .integer({ min: 0, max: 30_000 })
      .map((time) => (model: Model) => model.wait(time)),
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
