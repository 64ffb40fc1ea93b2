import { performance } from 'node:perf_hooks';
import { addressKey } from '../base/address-key.ts';
import type { CloseReason } from '../base/close-reasons.ts';
import { Deadline } from '../base/deadline.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import { type MemoryBudget, PROCESS_MEMORY_BUDGET } from '../base/memory-budget.ts';
import { SockJSStats } from '../base/stats.ts';
import { Ticker } from '../base/ticker.ts';
import { FlushQueue } from './flush-queue.ts';
import type { ConnectionHandlers } from './handler-runner.ts';
import type { SessionInit } from './session-context.ts';
import type { SessionSettings } from './session-settings.ts';
import { Session, type SessionOwner } from './session.ts';

/** Deadlines are checked at least this often during each delay, so that none is more than a quarter late. */
const CHECKS_PER_DELAY = 4;

/** Returns the interval at which deadlines are checked, in milliseconds. */
function checkInterval(settings: SessionSettings): number {
  const { sessionCheckInterval, disconnectDelay, heartbeatDelay, pingTimeout } = settings;
  const shortest = Math.min(disconnectDelay, heartbeatDelay, pingTimeout) / CHECKS_PER_DELAY;
  return Math.max(1, Math.floor(Math.min(sessionCheckInterval, shortest)));
}

/** Sessions of one router: finds them by key, checks their deadlines with one timer, and closes them together. */
export class SessionRegistry<App extends ConnectionHandlers = ConnectionHandlers> {
  readonly stats: SockJSStats;
  readonly #owner: SessionOwner;
  readonly #createApplication: (session: Session) => App;
  readonly #applications = new Map<Session, App>();
  readonly #byKey = new Map<string, Session>();
  readonly #countByAddress = new Map<string, number>();
  readonly #ticker: Ticker;
  /** Set once `drain` was called. */
  #drainReason: CloseReason | undefined;
  #unsettled: Set<Session> | undefined;
  #onAllSettled: (() => void) | undefined;

  /**
   * @param createApplication creates the object whose handlers are called for a session
   * @param clock returns the time in milliseconds
   */
  constructor(
    prefix: string,
    settings: SessionSettings,
    logger: SockJSLogger,
    createApplication: (session: Session) => App,
    clock: () => number = () => performance.now(),
    budget: MemoryBudget = PROCESS_MEMORY_BUDGET,
  ) {
    this.stats = new SockJSStats(prefix, clock);
    this.#createApplication = createApplication;
    this.#owner = {
      settings,
      logger,
      clock,
      stats: this.stats,
      budget,
      flushQueue: new FlushQueue(settings.immediateFlush, (error) => {
        logger.error(`A session could not be flushed: ${describeError(error)}`);
      }),
      onSettled: (session) => this.#settle(session),
      onClosed: (session) => this.#forget(session),
    };
    const onTick = (_counted: number, lost: number): void => this.#checkDeadlines(lost);
    this.#ticker = new Ticker(checkInterval(settings), onTick, clock);
  }

  /** Number of sessions, including ended ones that keep a close frame for a late poll. */
  get size(): number {
    return this.#applications.size;
  }

  /** True once `drain` was called. No session may be opened after it. */
  get isDraining(): boolean {
    return this.#drainReason !== undefined;
  }

  /** Number of sessions of one client address. */
  sizeOf(address: string): number {
    return this.#countByAddress.get(addressKey(address)) ?? 0;
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
    this.#count(info.ip, 1);
    this.stats.sessionOpened(transport, info.ip);
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

  #count(ip: string, change: number): void {
    const address = addressKey(ip);
    const count = (this.#countByAddress.get(address) ?? 0) + change;
    if (count > 0) this.#countByAddress.set(address, count);
    else this.#countByAddress.delete(address);
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
    this.#count(info.ip, -1);
    if (this.#applications.size === 0) this.#ticker.stop();
  }
}
