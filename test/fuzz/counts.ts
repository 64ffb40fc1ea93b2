/** How often something was, by name. */
export type Counts = Record<string, number>;

export function add(counts: Counts, name: string | number, count = 1): void {
  counts[name] = (counts[name] ?? 0) + count;
}

/** Those that are not 0, for a line of output. */
export function listed(counts: Readonly<Counts>): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.map(([name, count]) => `${name} ${count}`).join(', ');
}
