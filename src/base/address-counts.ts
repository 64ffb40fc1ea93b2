import { addressKeys, networkLimit } from './address-key.ts';

/** Counts sessions or calls of each client address, and of each IPv6 /48 network. */
export class AddressCounts {
  readonly #counts = new Map<string, number>();

  /** Returns the count of the client with this address. */
  of(address: string): number {
    return this.#countOf(addressKeys(address)[0] ?? '');
  }

  /** @param change 1 or -1 */
  add(address: string, change: number): void {
    for (const key of addressKeys(address)) {
      const count = this.#countOf(key) + change;
      if (count > 0) this.#counts.set(key, count);
      else this.#counts.delete(key);
    }
  }

  /** Returns whether the client or its network has reached its limit. A client without an address has none. */
  isFull(address: string, maxPerAddress: number, maxTotal: number): boolean {
    const [client, network] = addressKeys(address);
    if (client !== undefined && this.#countOf(client) >= maxPerAddress) return true;
    return network !== undefined && this.#countOf(network) >= networkLimit(maxPerAddress, maxTotal);
  }

  #countOf(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}
