/**
 * All sessions of one router: found by key, watched over by one timer, and ended together.
 */
import { performance } from 'node:perf_hooks';
import { describeError } from '../errors.ts';
import type { SessionEnd } from '../protocol/ends.ts';
import { addressKey } from '../http/client-address.ts';
import { type Backlog, PROCESS_BACKLOG } from '../backlog.ts';
import type { Logger, Settings } from '../settings.ts';
import { Stats } from '../stats.ts';
import type { Application } from './lifecycle.ts';
import { LiveSession } from './live-session.ts';
import type { Origin, Surroundings } from './ports.ts';
import { Turn } from './turn.ts';

/** No deadline is noticed later than by this part of the delay that it ends. */
const PRECISION = 4;

export class Directory<App extends Application = Application> {
  readonly stats: Stats;
  readonly #surroundings: Surroundings;
  readonly #createApplication: (session: LiveSession) => App;
  readonly #applications = new Map<LiveSession, App>();
  readonly #byKey = new Map<string, LiveSession>();
  /** How many sessions there are of each address. */
  readonly #byAddress = new Map<string, number>();
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #draining = false;
  #unsettled: Set<LiveSession> | undefined;
  #allSettled: (() => void) | undefined;

  constructor(
    prefix: string,
    settings: Settings,
    logger: Logger,
    createApplication: (session: LiveSession) => App,
    clock: () => number = () => performance.now(),
    backlog: Backlog = PROCESS_BACKLOG,
  ) {
    this.stats = new Stats(prefix, clock);
    this.#createApplication = createApplication;
    this.#surroundings = {
      settings,
      logger,
      clock,
      stats: this.stats,
      backlog,
      turn: new Turn(settings.immediateFlush, (error) => {
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

  find(key: string): LiveSession | undefined {
    return this.#byKey.get(key);
  }

  /**
   * A new session; it opens when its first receiver is attached.
   * @throws whatever the application's constructor throws
   */
  open(origin: Origin): LiveSession {
    const { transport, info, key } = origin;
    let application: App | undefined;
    const session = new LiveSession(this.#surroundings, origin, (created) => {
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
  async drain(end: SessionEnd, timeout: number): Promise<void> {
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
    const now = this.#surroundings.clock();
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

  #settled(session: LiveSession): void {
    if (this.#unsettled?.delete(session) === true && this.#unsettled.size === 0)
      this.#allSettled?.();
  }

  #forget(session: LiveSession): void {
    this.#applications.delete(session);
    if (session.key !== undefined) this.#byKey.delete(session.key);
    this.#count(session.info.ip, -1);
    if (this.#applications.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
