/** Counts by name. */
export type Counts = Record<string, number>;

export function addCount(counts: Counts, name: string | number, count = 1): void {
  counts[name] = (counts[name] ?? 0) + count;
}

/** Formats the counts that are not 0 for a line of output. */
export function formatCounts(counts: Readonly<Partial<Counts>>): string {
  const entries = Object.entries(counts).filter(([, count = 0]) => count > 0);
  return entries.map(([name, count]) => `${name} ${count}`).join(', ');
}
