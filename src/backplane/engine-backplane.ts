import { randomBytes } from 'node:crypto';
import { SockJSError } from '../base/errors.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import { RouterLog } from '../base/router-log.ts';
import { sleep } from '../base/sleep.ts';
import {
  type Backplane,
  type BackplaneListener,
  type Claim,
  type Membership,
  NO_BACKPLANE_LISTENER,
  type NodeId,
} from './backplane.ts';
import { Availability } from './availability.ts';
import { ClaimKeeper, formatClosing, parseClaim } from './claim-keeper.ts';
import { type Engine, type EngineListener, RECORD_TTL_MS } from './engine.ts';
import { FactKeeper } from './fact-keeper.ts';
import { SharedRecords } from './shared-records.ts';
import { Topics } from './topics.ts';
import { withDeadline } from './with-deadline.ts';

/** Interval at which a node renews its membership and reads the list of members. */
const HEARTBEAT_INTERVAL_MS = 3000;
/** The same while the backplane is down. */
const RECONNECT_INTERVAL_MS = 500;

/** Interval at which a missing claim is looked up again while nodes store theirs. */
const RECOVERY_POLL_MS = 100;

function ignore(): void {}

function isEqual(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

export interface EngineBackplaneOptions {
  /** Returns the time in milliseconds. */
  readonly clock?: () => number;
  /** Interval at which a node renews its membership, in milliseconds. Default: 3,000 */
  readonly heartbeatInterval?: number;
}

/** A backplane over an engine. It keeps membership, claims and facts alive, and stores them again after an outage. */
export class EngineBackplane implements Backplane, EngineListener {
  readonly #node: NodeId = randomBytes(12).toString('base64url');
  readonly #engine: Engine;
  readonly #clock: () => number;
  readonly #heartbeatInterval: number;
  readonly #claims: ClaimKeeper;
  readonly #facts: FactKeeper;
  readonly #shared: SharedRecords;
  readonly #topics: Topics;
  readonly #availability: Availability;
  #listener: BackplaneListener = NO_BACKPLANE_LISTENER;
  #logger: SockJSLogger = new RouterLog(false, '');
  #card = '';
  #members: ReadonlyMap<NodeId, string> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #isBeating = false;
  #beatsAgain = false;
  #left: Promise<void> | undefined;
  #hasLostRecords = false;

  constructor(engine: Engine, options: EngineBackplaneOptions = {}) {
    const { clock = () => performance.now(), heartbeatInterval = HEARTBEAT_INTERVAL_MS } = options;
    this.#engine = engine;
    this.#clock = clock;
    this.#availability = new Availability(clock);
    this.#heartbeatInterval = heartbeatInterval;
    this.#claims = new ClaimKeeper(engine, this.#node, (key) => this.#listener.onClaimLost(key));
    this.#facts = new FactKeeper(engine, this.#node, {
      onError: (error) =>
        this.#logger.warn(`The backplane could not store facts: ${describeError(error)}`),
      onStoredLate: (topic) => this.#topics.reportMissed(topic),
    });
    this.#shared = new SharedRecords(engine);
    this.#topics = new Topics(engine, this.#node, {
      onMessage: (topic, from, data) => this.#listener.onMessage(topic, from, data),
      onMissed: (topic, from) => this.#listener.onMissed(topic, from),
      onDeaf: () =>
        this.#logger.warn(
          'The backplane delivers no messages. Its subscriptions are opened again.',
        ),
      onMembersChanged: () => {
        if (this.isUp) this.#beatSoon();
      },
    });
  }

  get lostPublishes(): number {
    return this.#topics.lost;
  }

  get secret(): string {
    return this.#shared.secret;
  }

  get isUp(): boolean {
    return this.#availability.isUp;
  }

  async join(membership: Membership): Promise<NodeId> {
    if (this.#timer !== undefined || this.#left !== undefined) {
      const text = 'A backplane joins one cluster, once. Create another one.';
      throw new SockJSError('ERR_BACKPLANE', text);
    }
    try {
      await this.#join(membership);
    } catch (error) {
      this.leave().catch(ignore);
      throw error;
    }
    return this.#node;
  }

  async #join({ namespace, card, listener, logger }: Membership): Promise<void> {
    this.#card = card;
    this.#logger = logger;
    await withDeadline(this.#engine.connect(namespace, this));
    await this.#topics.restore();
    const cards = await withDeadline(this.#engine.keepMember(this.#node, card));
    await withDeadline(this.#shared.read());
    this.#availability.setUp();
    this.#listener = listener;
    this.#updateMembers(cards);
    this.#schedule();
    await this.#topics.announce();
  }

  async setCard(card: string): Promise<void> {
    this.#card = card;
    this.#updateMembers(await withDeadline(this.#engine.keepMember(this.#node, card)));
    await this.#topics.announce();
  }

  async claim(key: string): Promise<Claim> {
    await this.#availability.wait();
    if (this.#availability.isRecovering) {
      const claim = await this.owner(key);
      if (claim !== undefined) return claim;
    }
    const value = await withDeadline(this.#engine.create('claim', key, this.#node));
    if (value === this.#node) this.#claims.add(key, this.#clock());
    return parseClaim(value);
  }

  async owner(key: string): Promise<Claim | undefined> {
    await this.#availability.wait();
    const { isRecovering } = this.#availability;
    const value = await withDeadline(this.#engine.read('claim', key));
    if (value !== undefined) return parseClaim(value);
    if (!isRecovering) return undefined;
    await sleep(RECOVERY_POLL_MS);
    return this.owner(key);
  }

  release(key: string, closing?: string, ms: number = RECORD_TTL_MS.claim): void {
    if (!this.#claims.remove(key)) return;
    const next = closing === undefined ? undefined : formatClosing(this.#node, closing);
    // A claim that cannot be released expires.
    this.#engine.replace('claim', key, this.#node, next, ms).catch(ignore);
  }

  publish(topic: string, data: string): void {
    this.#topics.publish(topic, data, this.isUp);
  }

  subscribe(topic: string): Promise<void> {
    return this.#topics.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#topics.unsubscribe(topic);
  }

  setFact(topic: string, field: string, value: string | undefined): Promise<void> {
    return this.#facts.set(topic, field, value, this.isUp);
  }

  async facts(topic: string): Promise<ReadonlyMap<NodeId, ReadonlyMap<string, string>>> {
    await this.#availability.wait();
    return withDeadline(this.#facts.read(topic, [...this.#members.keys()]));
  }

  leave(): Promise<void> {
    return (this.#left ??= this.#leave());
  }

  async #leave(): Promise<void> {
    clearTimeout(this.#timer);
    this.#listener = NO_BACKPLANE_LISTENER;
    for (const key of this.#claims.keys) this.release(key);
    // A record that cannot be removed expires.
    await withDeadline(this.#removeRecords()).catch(ignore);
    await this.#engine.close();
  }

  onMessage(topic: string, data: string): void {
    this.#topics.receive(topic, data);
  }

  onMissed(): void {
    this.#listener.onMissed(undefined, undefined);
  }

  onUp(): void {
    if (!this.isUp) this.#beatSoon();
  }

  onDown(): void {
    this.#goDown('the connection is lost');
  }

  async #removeRecords(): Promise<void> {
    await Promise.all([this.#facts.clear(), this.#engine.removeMember(this.#node)]);
    await this.#topics.publishMarks();
    await this.#topics.announce();
  }

  /** @param delay time until the next heartbeat in milliseconds */
  #schedule(delay = this.isUp ? this.#heartbeatInterval : RECONNECT_INTERVAL_MS): void {
    if (this.#left !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#beat(), delay);
  }

  #beatSoon(): void {
    if (this.#isBeating) this.#beatsAgain = true;
    else void this.#beat();
  }

  /** Renews everything. An error takes the backplane down, and the next success up again. */
  async #beat(): Promise<void> {
    if (this.#isBeating || this.#left !== undefined) return;
    this.#isBeating = true;
    try {
      const wasDown = !this.isUp;
      if (wasDown) await this.#restore();
      if (this.#left !== undefined) return;
      this.#updateMembers(await withDeadline(this.#engine.keepMember(this.#node, this.#card)));
      if (wasDown) this.#goUp();
      const now = this.#clock();
      await withDeadline(this.#shared.renew(now));
      await Promise.all([this.#claims.renew(now), this.#facts.renew(now)]);
      await this.#topics.beat(now, this.#heartbeatInterval / 2);
      if (wasDown) await this.#topics.announce();
    } catch (error) {
      this.#goDown(describeError(error));
    } finally {
      this.#isBeating = false;
      this.#schedule(this.#beatsAgain ? 0 : undefined);
      this.#beatsAgain = false;
    }
  }

  /** Stores claims and facts again after an outage. A restarted engine may have lost all records. */
  async #restore(): Promise<void> {
    const { incarnation } = this.#shared;
    await withDeadline(this.#shared.read());
    if (incarnation !== this.#shared.incarnation) this.#hasLostRecords = true;
    const now = this.#clock();
    await Promise.all([this.#claims.republish(now), this.#facts.republish(now)]);
    await this.#topics.restore();
    // Before the next message: a subscriber that knows none of this node would not notice the gap.
    await this.#topics.publishMarks();
    if (this.#hasLostRecords) this.#availability.startRecovery();
  }

  #goUp(): void {
    this.#hasLostRecords = false;
    this.#availability.setUp();
    this.#logger.info('The backplane is available again.');
    this.#listener.onUp();
    this.#listener.onMissed(undefined, undefined);
  }

  #goDown(cause: string): void {
    if (!this.isUp || this.#left !== undefined) return;
    this.#availability.setDown();
    this.#logger.warn(`The backplane is not available: ${cause}`);
    this.#listener.onDown();
    this.#schedule();
  }

  #updateMembers(stored: ReadonlyMap<NodeId, string>): void {
    // A member that the engine has lost stores its record again when it reconnects.
    const { isRecovering } = this.#availability;
    const cards = isRecovering ? new Map([...this.#members, ...stored]) : stored;
    if (isEqual(cards, this.#members)) return;
    this.#members = cards;
    this.#topics.retain(cards);
    this.#listener.onMembers(cards);
  }
}
