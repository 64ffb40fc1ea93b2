/**
 * Life of a SockJS session as a table: state × input → next state. `SessionStateMachine` executes it, and
 * `npm run docs` makes docs/session-states.md from it.
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
   * Close reason that this transition decides: `given` with the input, or `timeout` of `CLOSE_REASONS`.
   * Undefined where none is decided. A session has one close reason, and the first one stays.
   */
  readonly reason: 'given' | 'timeout' | undefined;
  /** Queued messages are dropped. */
  readonly discards: boolean;
  /** The client has left, so that it needs no close frame. A late poll still gets one. */
  readonly clientGone: boolean;
}

/** Meaning of each state, for the documentation. */
export const STATES: Readonly<Record<SessionState, string>> = {
  new: 'No receiver has been attached yet.',
  connecting: 'The first receiver is attached. The open frame has not been written.',
  open: 'A receiver is attached, and messages flow.',
  detached: 'Open, without a receiver. Messages are queued for the next one.',
  closing: 'A receiver is attached. It gets what is queued and then the close frame.',
  lingering: 'Over, without a receiver. A late poll still gets the close frame.',
  closed: 'Final.',
};

/** Meaning of each input, for the documentation. */
export const INPUTS: Readonly<Record<SessionInput, string>> = {
  attach: 'A receiver is attached. Refused where the table has no transition.',
  opened: 'The open frame is written.',
  detach: 'The server has ended the receiver, and another one may follow.',
  interrupt:
    'The receiver is gone: its response broke off, its WebSocket closed, or no input followed a ping in time.',
  fail: 'A frame is lost after its receiver was detached.',
  close: 'The application, a limit or `router.close()` ends the session.',
  abort: 'The session ends at once, without a close frame.',
  deadline: 'The time limit of the state has passed. In `open` a heartbeat is due instead.',
};

const SILENT = { reason: undefined, discards: false, clientGone: false } as const;

/** Changes the state and nothing else. */
function go(to: SessionState): Transition {
  return { to, ...SILENT };
}

/** Drops what is queued. The close reason stays. */
function drop(to: SessionState): Transition {
  return { to, ...SILENT, discards: true };
}

/** Decides the close reason. Queued messages are still delivered, unless the session is closed. */
function end(
  to: 'closing' | 'lingering' | 'closed',
  reason: 'given' | 'timeout' = 'given',
): Transition {
  return { to, reason, discards: to === 'closed', clientGone: false };
}

/** Decides the close reason. Queued messages are lost. */
function lose(to: 'closing' | 'lingering', reason: 'given' | 'timeout' = 'given'): Transition {
  return { to, reason, discards: true, clientGone: to === 'lingering' };
}

/** Nothing happens where a cell is missing. */
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
