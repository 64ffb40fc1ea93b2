import { AddressCounts } from '../base/address-counts.ts';
import type { CloseReason } from '../base/close-reasons.ts';
import { Deadline } from '../base/deadline.ts';
import { type SockJSLogger, describeError, quoteForLog } from '../base/logging.ts';
import { type MemoryBudget, RouterMemory } from '../base/memory-budget.ts';
import { SockJSStats } from '../base/stats.ts';
import { Ticker } from '../base/ticker.ts';
import { FlushQueue } from './flush-queue.ts';
import type { ConnectionHandlers } from './handler-runner.ts';
import type { SessionInit } from './session-context.ts';
import type { SessionSettings } from './session-settings.ts';
import { Session, type SessionOwner } from './session.ts';

/** Deadlines are checked at least this often during each delay, so that none is more than a quarter late. */
const CHECKS_PER_DELAY = 4;

const SECOND_MS = 1000;

/** Part of `maxSessionAge` by which ages differ, so that clients that connected together do not reconnect together. */
const MAX_AGE_JITTER = 0.1;

/** Returns the interval at which deadlines are checked, in milliseconds. */
function checkInterval(settings: SessionSettings): number {
  const { sessionCheckInterval, disconnectDelay, heartbeatDelay, pingTimeout, maxSessionAge } =
    settings;
  const shortest =
    Math.min(disconnectDelay, heartbeatDelay, pingTimeout, maxSessionAge) / CHECKS_PER_DELAY;
  return Math.max(1, Math.floor(Math.min(sessionCheckInterval, shortest)));
}

function ignore(): void {}

/** Sessions of one router: finds them by key, checks their deadlines with one timer, and closes them together. */
export class SessionRegistry<App extends ConnectionHandlers = ConnectionHandlers> {
  readonly stats: SockJSStats;
  /** Called when a receiver is attached, with the exchange from which it comes. */
  onAttached: (session: Session, exchange: object) => void = ignore;
  /** Called when a session has ended and its close frame is no longer kept. */
  onForgotten: (session: Session) => void = ignore;
  /** Set while a node of a cluster drains: resolves when its clients have their close frames. */
  whenClosed: Promise<unknown> | undefined;
  readonly memory: RouterMemory;
  /** Sessions of each client address. */
  readonly addresses = new AddressCounts();
  readonly #owner: SessionOwner;
  readonly #createApplication: (session: Session) => App;
  readonly #applications = new Map<Session, App>();
  readonly #byKey = new Map<string, Session>();
  /** Undefined while the development log is off. */
  readonly #openedAt: WeakMap<Session, number> | undefined;
  readonly #ticker: Ticker;
  /** Set once `drain` was called. */
  #drainReason: CloseReason | undefined;
  #unsettled: Set<Session> | undefined;
  #onAllSettled: (() => void) | undefined;

  /**
   * @param createApplication creates the object whose handlers are called for a session
   * @param clock returns the time in milliseconds
   * @param random returns a number from 0 to 1
   */
  constructor(
    prefix: string,
    settings: SessionSettings,
    logger: SockJSLogger,
    createApplication: (session: Session) => App,
    clock: () => number = () => performance.now(),
    budget?: MemoryBudget,
    random: () => number = Math.random,
  ) {
    this.stats = new SockJSStats(prefix, clock);
    this.memory = new RouterMemory(settings, this.stats, budget);
    this.#createApplication = createApplication;
    this.#owner = {
      settings,
      logger,
      clock,
      chooseMaxAge: () => settings.maxSessionAge * (1 + MAX_AGE_JITTER * (2 * random() - 1)),
      stats: this.stats,
      flushQueue: new FlushQueue(
        settings.immediateFlush,
        (error) => logger.error(`A session could not be flushed: ${describeError(error)}`),
        settings.compression !== false,
      ),
      onAttached: (session, exchange) => this.onAttached(session, exchange),
      onSettled: (session) => this.#settle(session),
      onEnded: (session, reason) => this.#countEnd(session, reason),
      onClosed: (session) => this.#forget(session),
    };
    const onTick = (_counted: number, lost: number): void => this.#checkDeadlines(lost);
    this.#ticker = new Ticker(checkInterval(settings), onTick, clock);
    if (logger.debug !== undefined) this.#openedAt = new WeakMap();
  }

  /** Number of sessions, including ended ones that keep a close frame for a late poll. */
  get size(): number {
    return this.#applications.size;
  }

  /** Lets the process end while sessions are open, for sessions without sockets. */
  unref(): void {
    this.#ticker.unref();
  }

  /** True once `drain` was called. No session may be opened after it. */
  get isDraining(): boolean {
    return this.#drainReason !== undefined;
  }

  /** The session that was created last, with its application. */
  get newest(): readonly [Session, App] | undefined {
    return [...this.#applications].at(-1);
  }

  applicationOf(session: Session): App | undefined {
    return this.#applications.get(session);
  }

  find(key: string): Session | undefined {
    return this.#byKey.get(key);
  }

  /**
   * Creates a session. It opens when its first receiver is attached.
   * @returns undefined if the constructor of the application has closed the router
   * @throws what the constructor of the application throws
   */
  open(init: SessionInit): Session | undefined {
    const { transport, info, key } = init;
    let application: App | undefined;
    const session = new Session(this.#owner, init, (created) => {
      application = this.#createApplication(created);
      return application;
    });
    if (application !== undefined) this.#applications.set(session, application);
    if (key !== undefined) this.#byKey.set(key, session);
    this.addresses.add(info.ip, 1);
    this.stats.sessionOpened(transport, info.ip);
    this.#logOpening(session);
    this.#ticker.start();
    if (this.#drainReason === undefined) return session;
    session.abort(this.#drainReason);
    return undefined;
  }

  /** Iterates over the applications of open sessions that `onOpen` has accepted. */
  *applications(): Generator<App, void, undefined> {
    for (const [session, application] of this.#applications) {
      if (session.isAccepted) yield application;
    }
  }

  /**
   * Closes all sessions. Waits until each client has its close frame, and then aborts the remaining sessions.
   * @param timeout maximum waiting time in milliseconds
   */
  async drain(reason: CloseReason, timeout: number): Promise<void> {
    this.#drainReason = reason;
    this.#unsettled = new Set(this.#applications.keys());
    for (const session of this.#unsettled) session.close(reason);
    if (this.#unsettled.size > 0) await this.#allSettled(timeout);
    for (const session of this.#applications.keys()) session.abort(reason);
  }

  async #allSettled(timeout: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const deadline = new Deadline(timeout, resolve);
      this.#onAllSettled = () => {
        deadline.clear();
        resolve();
      };
    });
  }

  /** @param lost time that deadlines move, since the process has lost it */
  #checkDeadlines(lost: number): void {
    const now = this.#owner.clock();
    for (const session of this.#applications.keys()) session.tick(now, lost);
  }

  #countEnd(session: Session, reason: CloseReason): void {
    const { transport, info } = session.init;
    this.stats.sessionEnded(transport, info.ip, reason);
    const openedAt = this.#openedAt?.get(session);
    if (openedAt === undefined) return;
    const seconds = ((this.#owner.clock() - openedAt) / SECOND_MS).toFixed(1);
    this.#owner.logger.debug?.(
      `closed ${transport} of ${info.ip} after ${seconds} s with ${reason.code} ` +
        `${quoteForLog(reason.reason)}: ${reason.cause}`,
    );
  }

  #logOpening(session: Session): void {
    if (this.#openedAt === undefined) return;
    this.#openedAt.set(session, this.#owner.clock());
    this.#owner.logger.debug?.(`opened ${session.transport} for ${session.info.ip}`);
  }

  #settle(session: Session): void {
    if (this.#unsettled?.delete(session) === true && this.#unsettled.size === 0)
      this.#onAllSettled?.();
  }

  #forget(session: Session): void {
    if (!this.#applications.delete(session)) return;
    const { key, info } = session.init;
    // `verifyIp` may return a key that another session has taken over.
    if (key !== undefined && this.#byKey.get(key) === session) this.#byKey.delete(key);
    this.addresses.add(info.ip, -1);
    this.onForgotten(session);
    if (this.#applications.size === 0) this.#ticker.stop();
  }
}
