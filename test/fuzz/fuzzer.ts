/**
 * Plays inputs on the servers, a batch at a time, and after each asks whether everything still holds. Inputs
 * that reach branches which none had reached are kept, and mutated.
 */
import { PROCESS_MEMORY_BUDGET } from '../../src/base/memory-budget.ts';
import type { SockJSRouter } from '../../src/index.ts';
import { Dice } from '../faults/dice.ts';
import { Control } from './healthy-clients.ts';
import { type Counts, add, listed } from './counts.ts';
import { Coverage } from './coverage.ts';
import { type Input, isNonEmpty } from './input.ts';
import { minimise } from './minimise.ts';
import { mutate } from './mutate.ts';
import { play } from './player.ts';
import { heapUsed, resources, waitFor } from './remains.ts';
import { generate } from './generator.ts';
import { type Target, start, stop } from './servers.ts';
import { Watch } from './process-monitor.ts';

export interface Options {
  readonly seed: string;
  /** Whether there has been enough; asked after each batch. */
  readonly isEnough: (inputs: number) => boolean;
  /** Whether inputs that reach new branches are kept. Not where somebody else is counting, as a test runner may. */
  readonly isGuided: boolean;
}

export interface Violation {
  readonly what: readonly string[];
  /** The smallest that still does it; undefined if it takes several at once. */
  readonly input: Input | undefined;
  readonly batch: readonly Input[];
}

export interface Report {
  readonly inputs: Counts;
  readonly statuses: Counts;
  readonly opened: Counts;
  readonly closed: Counts;
  readonly refused: Counts;
  readonly branches: number;
  readonly kept: number;
  /** In bytes, after a forced collection and with no session open; before is after the first tenth. */
  readonly heapBefore: number;
  readonly heapAfter: number;
  /** In milliseconds. */
  readonly longestBlock: number;
  readonly violation: Violation | undefined;
}

const BATCH = 64;
/** So few inputs at once are answered quickly. */
const HURRY = 5;
const LONGEST_SEARCH = 2000;
const WARM_UP = 1000;
const LONGEST_BLOCK = 1000;
/**
 * What may stay: what V8 has compiled and learnt, Node's stock of HTTP parsers, and the inputs that were kept. A
 * leak of 1 KiB with each input would be more after half a minute.
 */
const HEAP_MARGIN = 24 * 1024 * 1024;

function kindOf(violation: string): string {
  return violation.slice(0, 60);
}

export class Fuzzer {
  readonly #options: Options;
  readonly #dice: Dice;
  readonly #watch = new Watch();
  readonly #coverage = new Coverage();
  readonly #kept: Input[] = [];
  readonly #inputs: Counts = {};
  readonly #statuses: Counts = {};
  #targets: readonly Target[] = [];
  #controls: Control[] = [];
  #count = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#dice = new Dice(options.seed);
  }

  async run(): Promise<Report> {
    const before = resources();
    if (this.#options.isGuided) this.#coverage.start();
    this.#watch.start();
    await this.#begin();
    let heapBefore = 0;
    let violation: Violation | undefined;
    while (violation === undefined && !this.#options.isEnough(this.#count)) {
      violation = await this.#batch();
      if (heapBefore > 0 || this.#count < WARM_UP) continue;
      await this.#quiet();
      heapBefore = heapUsed();
    }
    violation ??= await this.#finish(before);
    const heapAfter = heapUsed();
    if (heapBefore > 0 && heapAfter - heapBefore > HEAP_MARGIN) {
      violation ??= { what: ['the heap has grown'], input: undefined, batch: [] };
    }
    if (this.#options.isGuided) this.#coverage.stop();
    this.#watch.stop();
    return { ...this.#report(), heapBefore, heapAfter, violation };
  }

  /** Plays some inputs at once, without any that are made here. */
  async replay(inputs: readonly Input[]): Promise<string[]> {
    this.#watch.start();
    await this.#begin();
    await this.#play(inputs);
    const violations = await this.#violations();
    await Promise.all(this.#controls.map((control) => control.end()));
    await stop(this.#targets);
    this.#watch.stop();
    return violations;
  }

  async #begin(): Promise<void> {
    this.#targets = await start(this.#watch.logger);
    const controlled = this.#targets.filter(({ isControlled }) => isControlled);
    this.#controls = await Promise.all(controlled.map(({ port }) => Control.open(port)));
  }

  async #batch(): Promise<Violation | undefined> {
    const batch = Array.from({ length: BATCH }, () => this.#next());
    for (const { kind } of batch) add(this.#inputs, kind);
    await this.#play(batch);
    const what = await this.#violations();
    if (what.length > 0) return this.#explain(what, batch);
    if (this.#options.isGuided) await this.#keep(batch);
    return undefined;
  }

  #next(): Input {
    // Dice of its own for each: what is generated does not hang on what was kept.
    this.#count += 1;
    const dice = this.#dice.of(`${this.#count}`);
    const kept = this.#kept;
    if (!isNonEmpty(kept) || dice.oneIn(3)) return generate(dice);
    return mutate(dice, dice.pick(kept), dice.pick(kept));
  }

  async #play(inputs: readonly Input[], hurried = false): Promise<void> {
    const readings = await Promise.all(
      inputs.map((input) => play(input, this.#targets[input.target]?.port ?? 0, hurried)),
    );
    for (const { statuses, fault } of readings.flat()) {
      for (const status of statuses) add(this.#statuses, status);
      if (fault !== undefined) this.#watch.report(`a malformed answer: ${fault}`);
    }
  }

  async #violations(): Promise<string[]> {
    for (const control of this.#controls) {
      try {
        await control.check();
      } catch (error) {
        this.#watch.report(`a healthy client: ${String(error)}`);
      }
    }
    const block = this.#watch.takeBlock();
    if (block > LONGEST_BLOCK) this.#watch.report(`the event loop stood still for ${block} ms`);
    return this.#watch.take();
  }

  /** Keeps those that have reached what none had. */
  async #keep(batch: readonly Input[]): Promise<void> {
    const fresh = this.#coverage.takeNew();
    if (fresh.size === 0) return;
    const until = performance.now() + LONGEST_SEARCH;
    const middle = batch.length / 2;
    await this.#search(batch.slice(0, middle), fresh, until);
    await this.#search(batch.slice(middle), fresh, until);
  }

  /** Those were played at once: finds the one, by halves. */
  async #search(inputs: readonly Input[], fresh: Set<string>, until: number): Promise<void> {
    if (fresh.size === 0 || performance.now() > until) return;
    this.#coverage.take();
    await this.#play(inputs, inputs.length < HURRY);
    const reached = [...this.#coverage.take()].filter((branch) => fresh.has(branch));
    if (reached.length === 0) return;
    if (inputs.length > 1) {
      const middle = inputs.length >> 1;
      await this.#search(inputs.slice(0, middle), fresh, until);
      await this.#search(inputs.slice(middle), fresh, until);
    } else {
      this.#kept.push(...inputs);
      for (const branch of reached) fresh.delete(branch);
    }
  }

  /** What an input does when it is played alone. */
  async #harmOf(input: Input): Promise<string[]> {
    await this.#play([input]);
    return this.#violations();
  }

  async #explain(what: readonly string[], batch: readonly Input[]): Promise<Violation | undefined> {
    for (const input of batch) {
      const harm = await this.#harmOf(input);
      if (harm.length === 0) continue;
      const kinds = new Set(harm.map(kindOf));
      const doesHarm = async (smaller: Input): Promise<boolean> =>
        (await this.#harmOf(smaller)).some((line) => kinds.has(kindOf(line)));
      return { what: harm, batch, input: await minimise(input, doesHarm) };
    }
    // On a busy machine everything stands still at times: what counts is that an input can do it again.
    const isMachine = what.every((line) => line.startsWith('the event loop stood still'));
    return isMachine ? undefined : { what, batch, input: undefined };
  }

  /** Waits until there are no more sessions than those of the controls: all others have lost their clients. */
  async #quiet(): Promise<void> {
    const own = 2 * this.#controls.length;
    if (await waitFor(() => this.#sessions() <= own)) return;
    for (const { stats, prefix } of this.#routers()) {
      const { sessionsActive } = stats.dump();
      const transports = Object.entries(stats.dump()).filter(([name]) => name.startsWith('transp'));
      const left = listed(Object.fromEntries(transports));
      if (sessionsActive > 0) this.#watch.report(`sessions are left below ${prefix}: ${left}`);
    }
  }

  #routers(): SockJSRouter[] {
    return this.#targets.flatMap(({ routers }) => routers);
  }

  #sessions(): number {
    return this.#routers().reduce((sum, { stats }) => sum + stats.dump().sessionsActive, 0);
  }

  /** Everybody leaves: nothing may be left of it, neither sessions nor bytes nor handles. */
  async #finish(before: string): Promise<Violation | undefined> {
    for (const control of this.#controls.splice(0)) await control.end();
    await this.#quiet();
    const dumps = this.#routers().map(({ stats }) => stats.dump());
    const { bytes } = PROCESS_MEMORY_BUDGET;
    if (bytes !== 0) this.#watch.report(`${bytes} bytes are counted as waiting`);
    for (const { connectionsActive } of dumps) {
      if (connectionsActive !== 0) this.#watch.report(`${connectionsActive} receivers are left`);
    }
    await stop(this.#targets);
    if (!(await waitFor(() => resources() === before))) {
      this.#watch.report(`handles are left: ${resources()}; there were: ${before}`);
    }
    const what = this.#watch.take();
    return what.length === 0 ? undefined : { what, input: undefined, batch: [] };
  }

  #report(): Omit<Report, 'heapBefore' | 'heapAfter' | 'violation'> {
    const opened: Counts = {};
    const closed: Counts = {};
    const refused: Counts = {};
    for (const { stats } of this.#routers()) {
      const dump = stats.dump();
      add(opened, 'sessions', dump.sessionsTotal);
      for (const [cause, count] of Object.entries(dump.closed)) add(closed, cause, count);
      for (const [reason, count] of Object.entries(dump.refused)) add(refused, reason, count);
    }
    return {
      inputs: this.#inputs,
      statuses: this.#statuses,
      opened,
      closed,
      refused,
      branches: this.#coverage.branches,
      kept: this.#kept.length,
      longestBlock: this.#watch.longestBlock,
    };
  }
}
