/**
 * Lifecycle of a SockJS session as a table: state × input → next state. `SessionStateMachine` executes it, and
 * `npm run docs` generates docs/session-states.md from it.
 */

export type SessionState =
  | 'new'
  | 'connecting'
  | 'open'
  | 'detached'
  | 'closing'
  | 'lingering'
  | 'closed';

export type SessionInput =
  | 'attach'
  | 'opened'
  | 'detach'
  | 'interrupt'
  | 'fail'
  | 'close'
  | 'abort'
  | 'deadline';

export interface Transition {
  readonly to: SessionState;
  /**
   * Close reason that this transition sets: the one `given` with the input, or `timeout` of `CLOSE_REASONS`. Undefined
   * if it sets none. The close reason of a session is set once.
   */
  readonly reason: 'given' | 'timeout' | undefined;
  /** True if queued messages are dropped. */
  readonly discards: boolean;
  /** True if the client is gone, so that it needs no close frame. A late poll still gets one. */
  readonly clientGone: boolean;
}

/** Meaning of each state, for the documentation. */
export const STATES: Readonly<Record<SessionState, string>> = {
  new: 'No receiver is attached yet.',
  connecting: 'The first receiver is attached. The open frame is not written yet.',
  open: 'A receiver is attached, and messages flow.',
  detached: 'Open, without a receiver. Messages are queued for the next one.',
  closing: 'A receiver is attached. It gets the queued messages and then the close frame.',
  lingering: 'Ended, without a receiver. A late poll still gets the close frame.',
  closed: 'Ended. No input has an effect.',
};

/** Meaning of each input, for the documentation. */
export const INPUTS: Readonly<Record<SessionInput, string>> = {
  attach: 'A receiver is attached. Refused where the table has no transition.',
  opened: 'The open frame is written.',
  detach: 'The server has ended the receiver, and another one may follow.',
  interrupt:
    'The receiver is gone: its response was aborted, its WebSocket closed, or no input followed a ping in time.',
  fail: 'A frame was lost after its receiver was detached.',
  close: 'The application, a limit or `router.close()` ends the session.',
  abort: 'The session ends at once, without a close frame.',
  deadline: 'The time limit of the state has passed. In `open` a heartbeat is due instead.',
};

const NO_EFFECTS = { reason: undefined, discards: false, clientGone: false } as const;

/** Changes the state and nothing else. */
function go(to: SessionState): Transition {
  return { to, ...NO_EFFECTS };
}

/** Drops queued messages. The close reason stays. */
function drop(to: SessionState): Transition {
  return { to, ...NO_EFFECTS, discards: true };
}

/** Sets the close reason. Queued messages are still delivered, unless the session is closed. */
function end(
  to: 'closing' | 'lingering' | 'closed',
  reason: 'given' | 'timeout' = 'given',
): Transition {
  return { to, reason, discards: to === 'closed', clientGone: false };
}

/** Sets the close reason. Queued messages are lost. */
function lose(to: 'closing' | 'lingering', reason: 'given' | 'timeout' = 'given'): Transition {
  return { to, reason, discards: true, clientGone: to === 'lingering' };
}

/** An input without a transition has no effect. */
export const TRANSITIONS: Readonly<
  Record<SessionState, Readonly<Partial<Record<SessionInput, Transition>>>>
> = {
  new: {
    attach: go('connecting'),
    interrupt: end('closed'),
    fail: end('closed'),
    close: end('closed'),
    abort: end('closed'),
    deadline: end('closed', 'timeout'),
  },
  connecting: {
    opened: go('open'),
    detach: go('new'),
    interrupt: end('closed'),
    fail: end('closing'),
    close: end('closing'),
    abort: end('closed'),
    deadline: end('closed', 'timeout'),
  },
  open: {
    detach: go('detached'),
    interrupt: lose('lingering'),
    fail: lose('closing'),
    close: end('closing'),
    abort: end('closed'),
  },
  detached: {
    attach: go('open'),
    interrupt: lose('lingering'),
    fail: lose('lingering'),
    close: end('lingering'),
    abort: end('closed'),
    deadline: lose('lingering', 'timeout'),
  },
  closing: {
    detach: go('lingering'),
    interrupt: drop('lingering'),
    fail: drop('closing'),
    abort: drop('closed'),
    deadline: drop('closed'),
  },
  lingering: {
    attach: go('closing'),
    interrupt: drop('lingering'),
    fail: drop('lingering'),
    abort: drop('closed'),
    deadline: drop('closed'),
  },
  closed: {},
};
