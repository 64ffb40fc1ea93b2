/**
 * The budget for everything that clients make this process buffer. Each buffer is a `MemoryReservation`. Its bytes
 * count for its client's address, for the /48 network of an IPv6 address, and for the process. Above a limit, the
 * largest buffer of the largest address is evicted, so that a client that holds little is not affected.
 */
import { addressKeys, networkLimit } from './address-key.ts';
import { LargestFirst, type Sized } from './largest-first.ts';

export const BUFFER_KINDS = ['output', 'messages', 'bodies', 'delayedInput'] as const;

/**
 * Content of a buffer: output for a slow client, an incomplete WebSocket message, an incomplete request body, or input
 * that waits for handlers, the rate limit, `authorize` or `allowedOrigins`.
 */
export type BufferKind = (typeof BUFFER_KINDS)[number];

/** Settings of the budget, in bytes. */
export interface MemorySettings {
  /** Limit for the process. */
  readonly maxTotalBufferedBytes: number;
  /** Limit for one address (IPv6: for one /64). */
  readonly maxBufferedBytesPerAddress: number;
  /** Size up to which a buffer counts as small. Every limit has room for one small buffer. */
  readonly highWaterMark: number;
}

/** Counters of the budget. */
export interface MemoryStats {
  buffered(kind: BufferKind, change: number): void;
  /** Called when a buffer is evicted in favour of another client. */
  evicted(): void;
}

type Level = 'address' | 'network' | 'process';

/** Buffered bytes of the process, of a network or of an address. It exists while it has bytes. */
class Account implements Sized {
  bytes = 0;
  heapIndex = -1;
  readonly level: Level;
  readonly parent: Account | undefined;
  readonly #key: string;
  readonly #children = new Map<string, Account>();
  readonly #holders = new LargestFirst<Account | MemoryReservation>();

  constructor(level: Level, key = '', parent?: Account) {
    this.level = level;
    this.#key = key;
    this.parent = parent;
  }

  /** Largest buffer of the largest address. */
  get largest(): MemoryReservation | undefined {
    const { largest } = this.#holders;
    return largest instanceof Account ? largest.largest : largest;
  }

  /** Number of accounts of addresses and networks below this one. */
  get size(): number {
    let size = this.#children.size;
    for (const child of this.#children.values()) size += child.size;
    return size;
  }

  /** Finds or creates the account of an address. */
  open(address: string): Account {
    const [client, network] = addressKeys(address);
    const parent = network === undefined ? this : this.#child('network', network);
    return client === undefined ? parent : parent.#child('address', client);
  }

  /** Called after the bytes of a holder have changed. */
  update(holder: Account | MemoryReservation, change: number): void {
    this.#holders.update(holder);
    if (holder instanceof Account && holder.bytes === 0) this.#children.delete(holder.#key);
    this.bytes += change;
    this.parent?.update(this, change);
  }

  #child(level: Level, key: string): Account {
    let child = this.#children.get(key);
    if (child === undefined) {
      child = new Account(level, key, this);
      this.#children.set(key, child);
    }
    return child;
  }
}

/** Buffered bytes of a process. */
export class MemoryBudget {
  readonly #account = new Account('process');

  get bytes(): number {
    return this.#account.bytes;
  }

  /** Number of addresses and networks that have buffered bytes. */
  get accounts(): number {
    return this.#account.size;
  }

  open(address: string): Account {
    return this.#account.open(address);
  }
}

/** Buffered bytes of all routers in this process. */
export const PROCESS_MEMORY_BUDGET: MemoryBudget = new MemoryBudget();

/** Limits and counters of one router in the budget. */
export class RouterMemory {
  readonly budget: MemoryBudget;
  readonly stats: MemoryStats;
  readonly #limits: Readonly<Record<Level, number>>;
  readonly #smallBytes: number;

  constructor(settings: MemorySettings, stats: MemoryStats, budget = PROCESS_MEMORY_BUDGET) {
    const { highWaterMark, maxBufferedBytesPerAddress, maxTotalBufferedBytes } = settings;
    const address = Math.max(maxBufferedBytesPerAddress, highWaterMark);
    const process = Math.max(maxTotalBufferedBytes, highWaterMark);
    this.budget = budget;
    this.stats = stats;
    this.#smallBytes = highWaterMark;
    this.#limits = { address, network: networkLimit(address, process), process };
  }

  isSmall(bytes: number): boolean {
    return bytes <= this.#smallBytes;
  }

  allows({ level, bytes }: Account): boolean {
    return bytes <= this.#limits[level];
  }

  forClient(address: string): ClientMemory {
    return new ClientMemory(this, address);
  }
}

/** The budget for one client. */
export class ClientMemory {
  readonly router: RouterMemory;
  readonly address: string;

  constructor(router: RouterMemory, address: string) {
    this.router = router;
    this.address = address;
  }

  /** @param onEvicted frees the buffer, which counts no more */
  reserve(kind: BufferKind, onEvicted: () => void): MemoryReservation {
    return new MemoryReservation(this, kind, onEvicted);
  }

  isSmall(bytes: number): boolean {
    return this.router.isSmall(bytes);
  }
}

/** Bytes of one buffer of a client. */
export class MemoryReservation implements Sized {
  /** Bytes that count against the limits. */
  bytes = 0;
  heapIndex = -1;
  readonly #client: ClientMemory;
  readonly #kind: BufferKind;
  readonly #onEvicted: () => void;
  #buffered = 0;
  /** Set while bytes count. */
  #account: Account | undefined;

  constructor(client: ClientMemory, kind: BufferKind, onEvicted: () => void) {
    this.#client = client;
    this.#kind = kind;
    this.#onEvicted = onEvicted;
  }

  /**
   * Sets the size of the buffer. If it grows beyond a limit, larger buffers are evicted.
   * @param buffered bytes in the buffer
   * @param bytes bytes of it that count against the limits, because they could be evicted
   * @returns false if this buffer is the largest one, and has to be evicted itself
   */
  resize(buffered: number, bytes: number = buffered): boolean {
    const { router } = this.#client;
    const isGrowing = bytes > this.bytes;
    router.stats.buffered(this.#kind, buffered - this.#buffered);
    this.#buffered = buffered;
    this.#count(bytes);
    return !isGrowing || this.#makeRoom(router);
  }

  release(): void {
    this.resize(0);
  }

  #makeRoom(router: RouterMemory): boolean {
    for (let account = this.#account; account !== undefined; account = account.parent) {
      while (!router.allows(account)) {
        const largest: MemoryReservation | undefined = account.largest;
        if (largest === undefined || largest === this) return false;
        // The buffer may belong to another router, which allows more.
        if (largest.#client.router.allows(account)) return router.isSmall(this.bytes);
        largest.evict();
      }
    }
    return true;
  }

  /** Frees the buffer, because a limit is exceeded and its owner cannot refuse the bytes. */
  evict(): void {
    this.#count(0);
    this.#client.router.stats.evicted();
    this.#onEvicted();
  }

  #count(bytes: number): void {
    const change = bytes - this.bytes;
    if (change === 0) return;
    this.bytes = bytes;
    const { router, address } = this.#client;
    const account = (this.#account ??= router.budget.open(address));
    account.update(this, change);
    if (bytes === 0) this.#account = undefined;
  }
}
