/** The results of a cluster, as the section "Cluster" of RESULTS.md. */
import type { Ratio } from './alternate.ts';

export interface Row {
  readonly title: string;
  readonly figure: string;
  readonly goal?: string;
  readonly isMissed?: boolean;
}

function digits(value: number): string {
  return value.toFixed(2);
}

/** A row with a ratio. @param goal largest ratio that reaches the goal */
export function ratioRow(title: string, { median, least, most }: Ratio, goal?: number): Row {
  const figure = `**${digits(median)}** (${digits(least)} to ${digits(most)})`;
  if (goal === undefined) return { title, figure };
  return { title, figure, goal: `≤ ${digits(goal)}`, isMissed: median > goal };
}

/** A row with a number. @param goal largest number that reaches the goal */
export function numberRow(title: string, value: number, unit = '', goal?: number): Row {
  const rounded = Number.isInteger(value) ? String(value) : digits(value);
  const figure = `${rounded}${unit}`;
  if (goal === undefined) return { title, figure };
  return { title, figure, goal: `≤ ${goal}${unit}`, isMissed: value > goal };
}

function formatRow({ title, figure, goal = '–', isMissed = false }: Row): string {
  return `| ${title} | ${figure} | ${goal}${isMissed ? ' (missed)' : ''} |`;
}

export interface ClusterRun {
  readonly quick: boolean;
  readonly windows: number;
}

export function formatCluster(rows: readonly Row[], { quick, windows }: ClusterRun): string {
  return `## Cluster

**This section is generated** by \`npm run bench:cluster -- --write\`: Node.js ${process.version}, Redis on the same machine, each node a process; all nodes share
a core, and the load has another one where the system allows it. ${quick ? 'This was a quick run, too short for V8 to optimise the code. ' : ''}A cost is the CPU time of all nodes (user and system) per message, round trip
or delivery. It is given as a ratio only: both loads run in turn, in ${windows} short windows, and the figure is the median of the ratios of
the windows, in brackets the smallest and the largest. The content, order and number of all responses were checked.

| case | figure | goal |
| --- | --- | --- |
${rows.map(formatRow).join('\n')}
`;
}
