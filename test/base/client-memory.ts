/** Memory of one client in a budget of its own, for tests without a router. */
import {
  type ClientMemory,
  MemoryBudget,
  type MemorySettings,
  RouterMemory,
} from '../../src/base/memory-budget.ts';
import { SockJSStats } from '../../src/base/stats.ts';

export type MemoryInput = Partial<MemorySettings>;

const SETTINGS: MemorySettings = {
  highWaterMark: 1000,
  maxTotalBufferedBytes: 10_000_000,
  maxBufferedBytesPerAddress: 10_000_000,
};

/** Memory of a client at 192.0.2.1, or at another address. */
export function clientMemory(
  settings: MemoryInput = {},
  budget: MemoryBudget = new MemoryBudget(),
  stats: SockJSStats = new SockJSStats('/echo', () => 0),
  address = '192.0.2.1',
): ClientMemory {
  return new RouterMemory({ ...SETTINGS, ...settings }, stats, budget).forClient(address);
}
