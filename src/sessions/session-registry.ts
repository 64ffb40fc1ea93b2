/**
 * All sessions of one router: found by key, watched over by one timer, and ended together.
 */
import { performance } from 'node:perf_hooks';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import type { CloseReason } from '../base/close-reasons.ts';
import { addressKey } from '../base/address-key.ts';
import { type MemoryBudget, PROCESS_MEMORY_BUDGET } from '../base/memory-budget.ts';
import { SockJSStats } from '../base/stats.ts';
import type { ConnectionHandlers } from './handler-runner.ts';
import { Session } from './session.ts';
import type { SessionInit, SessionContext } from './receiver.ts';
import { FlushQueue } from './flush-queue.ts';
import type { SessionSettings } from './settings.ts';

/** No deadline is noticed later than by this part of the delay that it ends. */
const PRECISION = 4;

export class SessionRegistry<App extends ConnectionHandlers = ConnectionHandlers> {
  readonly stats: SockJSStats;
  readonly #context: SessionContext<Session>;
  readonly #createApplication: (session: Session) => App;
  readonly #applications = new Map<Session, App>();
  readonly #byKey = new Map<string, Session>();
  /** How many sessions there are of each address. */
  readonly #byAddress = new Map<string, number>();
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #draining = false;
  #unsettled: Set<Session> | undefined;
  #allSettled: (() => void) | undefined;

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
    this.#context = {
      settings,
      logger,
      clock,
      stats: this.stats,
      budget,
      turn: new FlushQueue(settings.immediateFlush, (error) => {
        logger.error(`A session could not be flushed: ${describeError(error)}`);
      }),
      settled: (session) => this.#settled(session),
      forget: (session) => this.#forget(session),
    };
    const { sessionCheckInterval, disconnectDelay, heartbeatDelay, pingTimeout } = settings;
    const shortest = Math.min(disconnectDelay, heartbeatDelay, pingTimeout) / PRECISION;
    this.#interval = Math.max(1, Math.floor(Math.min(sessionCheckInterval, shortest)));
  }

  /** How many sessions there are, those included that only wait to tell a late poll how they ended. */
  get size(): number {
    return this.#applications.size;
  }

  /** True from `drain` on: no session is opened any more. */
  get isDraining(): boolean {
    return this.#draining;
  }

  /** How many sessions there are of this address. */
  sizeOf(address: string): number {
    return this.#byAddress.get(addressKey(address)) ?? 0;
  }

  find(key: string): Session | undefined {
    return this.#byKey.get(key);
  }

  /**
   * A new session; it opens when its first receiver is attached.
   * @throws whatever the application's constructor throws
   */
  open(origin: SessionInit): Session {
    const { transport, info, key } = origin;
    let application: App | undefined;
    const session = new Session(this.#context, origin, (created) => {
      application = this.#createApplication(created);
      return application;
    });
    if (application !== undefined) this.#applications.set(session, application);
    if (key !== undefined) this.#byKey.set(key, session);
    this.#count(info.ip, 1);
    this.stats.sessionOpened(transport, info.ip);
    this.#timer ??= setInterval(this.#tick, this.#interval);
    return session;
  }

  /** The applications of all sessions that are open, and that `onOpen` has accepted. */
  *applications(): Generator<App, void, undefined> {
    for (const [session, application] of this.#applications) {
      if (session.isAccepted) yield application;
    }
  }

  /**
   * Opens no more sessions, closes those that are there, and waits until each client has been told,
   * but no longer than `timeout` ms; then cuts off the rest.
   */
  async drain(end: CloseReason, timeout: number): Promise<void> {
    this.#draining = true;
    for (const session of this.#applications.keys()) session.end(end);
    this.#unsettled = new Set(
      [...this.#applications.keys()].filter((session) => !session.isSettled),
    );
    if (this.#unsettled.size > 0) await this.#waitForAll(timeout);
    for (const session of this.#applications.keys()) session.terminate(end);
  }

  async #waitForAll(timeout: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeout);
      this.#allSettled = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  readonly #tick = (): void => {
    const now = this.#context.clock();
    for (const session of this.#applications.keys()) {
      if (session.deadline <= now) session.tick(now);
    }
  };

  #count(ip: string, change: number): void {
    const address = addressKey(ip);
    const count = (this.#byAddress.get(address) ?? 0) + change;
    if (count > 0) this.#byAddress.set(address, count);
    else this.#byAddress.delete(address);
  }

  #settled(session: Session): void {
    if (this.#unsettled?.delete(session) === true && this.#unsettled.size === 0)
      this.#allSettled?.();
  }

  #forget(session: Session): void {
    this.#applications.delete(session);
    if (session.key !== undefined) this.#byKey.delete(session.key);
    this.#count(session.info.ip, -1);
    if (this.#applications.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
