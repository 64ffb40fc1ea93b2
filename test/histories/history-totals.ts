import { type Counts, addCount } from '../fuzz/counts.ts';
import type { ClusterEvent } from './cluster-log.ts';
import type { HistoryResult } from './simulation.ts';

/** Returns the name under which an event is counted, or undefined. */
function nameOf(event: ClusterEvent): string | undefined {
  if (event.source === 'session' && event.event.type === 'opened') return 'sessions';
  if (event.source === 'client' || event.source === 'session') {
    if (event.event.type === 'received') return `messages to the ${event.source}`;
    if (event.source === 'client' && event.event.type === 'closed')
      return `closed with ${event.event.status.code}`;
  }
  if (event.source !== 'topic') return undefined;
  const { type } = event.event;
  return type === 'delivered' || type === 'missed' ? `topic messages ${type}` : undefined;
}

/** Sums over many histories, so that a run shows what it has checked. */
export class HistoryTotals {
  histories = 0;
  /** Number of histories with violations. */
  violations = 0;
  readonly counts: Counts = {};
  readonly faults: Counts = {};

  add({ events, violations, relayed, faults }: HistoryResult): void {
    this.histories += 1;
    if (violations.length > 0) this.violations += 1;
    addCount(this.counts, 'relayed requests', relayed);
    for (const event of events) {
      const name = nameOf(event);
      if (name !== undefined) addCount(this.counts, name);
    }
    for (const [fault, count] of Object.entries(faults)) addCount(this.faults, fault, count);
  }
}
