/** Results by round, and their tables. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Case, OURS } from './cases.ts';
import type { Measurement } from './load/measure.ts';

const PACKAGES = ['ws', 'sockjs', 'socket.io', 'engine.io'];

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}

/** All measurements of one case. */
export class CaseResult {
  readonly tested: Case;
  readonly #rounds = new Map<string, Measurement[]>();

  constructor(tested: Case) {
    this.tested = tested;
    for (const { name } of tested.peers) this.#rounds.set(name, []);
  }

  add(peer: string, measurement: Measurement): void {
    this.#rounds.get(peer)?.push(measurement);
  }

  /** Name of the bare server. */
  get bare(): string {
    return this.tested.peers[0]?.name ?? '';
  }

  has(peer: string): boolean {
    return this.#rounds.has(peer);
  }

  all(peer: string, pick: (measurement: Measurement) => number): number[] {
    return (this.#rounds.get(peer) ?? []).map(pick);
  }

  cost(peer: string): number {
    return median(this.all(peer, ({ cost }) => cost));
  }

  /** Ratios to the bare server in the same round. */
  ratios(peer: string): number[] {
    const bare = this.all(this.bare, ({ cost }) => cost);
    return this.all(peer, ({ cost }) => cost).map((cost, round) => cost / (bare[round] ?? cost));
  }

  get isReached(): boolean {
    const { absolute, goal } = this.tested;
    return (absolute === true ? this.cost(OURS) : median(this.ratios(OURS))) <= goal;
  }

  get goal(): string {
    const { absolute, goal, unit } = this.tested;
    return absolute === true ? `≤ ${goal} ${unit}` : `≤ ${goal.toFixed(2)}`;
  }
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function figure(value: number): string {
  return value.toFixed(Math.abs(value) < 9.95 ? 2 : 1);
}

function ratio(result: CaseResult, peer: string): string {
  return result.has(peer) ? median(result.ratios(peer)).toFixed(2) : '–';
}

function spread(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
}

function summaryRow(result: CaseResult): string {
  const { title, unit } = result.tested;
  const ratios = result.ratios(OURS);
  return row(
    title,
    `${figure(result.cost(result.bare))} ${unit}`,
    `${figure(result.cost(OURS))} ${unit}`,
    `**${median(ratios).toFixed(2)}** (${spread(ratios)})`,
    `${result.goal}${result.isReached ? '' : ' (missed)'}`,
    ...['sockjs', 'socket.io', 'engine.io'].map((peer) => ratio(result, peer)),
  );
}

function optional(values: readonly (number | undefined)[]): string {
  const numbers = values.filter((value) => value !== undefined);
  return numbers.length === 0 ? '–' : figure(median(numbers));
}

function detailRow(result: CaseResult, peer: string): string {
  const of = (pick: (measurement: Measurement) => number | undefined): string =>
    optional(result.all(peer, (measurement) => pick(measurement) ?? Number.NaN).filter(isFinite));
  const isBusier = median(result.all(peer, ({ loadShare = 0 }) => loadShare)) > 1;
  const rates = result.all(peer, ({ rate = 0 }) => rate);
  return row(
    result.tested.title,
    peer,
    `${figure(result.cost(peer))} ${result.tested.unit}`,
    spread(result.all(peer, ({ cost }) => cost)),
    `${of(({ parts }) => parts[0])} + ${of(({ parts }) => parts[1])}`,
    median(rates) === 0 ? '–' : String(Math.round(median(rates))),
    of(({ p50 }) => p50),
    of(({ p99 }) => p99),
    isBusier
      ? `${of(({ loadShare }) => loadShare)}: busier than the server`
      : of(({ loadShare }) => loadShare),
  );
}

function versionOf(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return `${name} ${version}`;
}

export interface Run {
  readonly rounds: number;
  readonly quick: boolean;
  readonly pinned: boolean;
}

function headOf({ rounds, quick, pinned }: Run): string {
  const cores = `${cpus().length} cores, ${process.platform}, ${process.arch}`;
  const pinning = pinned ? 'each pinned to its own core' : 'not pinned to cores';
  return `# Benchmarks

**This file is generated** by \`npm run bench -- --write\`, on ${new Date().toISOString().slice(0, 10)}: Node.js ${process.version}, ${PACKAGES.map(versionOf).join(', ')};
${cores}; server and load in separate processes, ${pinning}. ${quick ? 'This was a quick run: it has fewer idle sessions, and is too short for V8 to optimise the code, so it does not judge goals. ' : ''}Medians of ${rounds} interleaved ${rounds === 1 ? 'round' : 'rounds'},
in brackets the minimum and the maximum. The content, order and number of all responses were checked.

A figure is the **CPU time of the server** (user and system) per message. For a broadcast it is per delivery, for polling per round trip.
Ratios are to a bare server, which does the same with \`ws\` or \`node:http\` alone, without sessions and JSON. Absolute figures depend on
the machine, ratios are stable. Memory is the growth of the process (RSS) per session after a forced collection, with V8's young generation
started at its full size. There are 10,000 idle sessions with a heartbeat every 25 s, and 5,000 idle streams${quick ? '; here a tenth of them, with heartbeats ten times as often' : ''}.
`;
}

/** The tables, in Markdown. */
export function formatResults(results: readonly CaseResult[], run: Run): string {
  const details = results.flatMap((result) =>
    result.tested.peers.map(({ name }) => detailRow(result, name)),
  );
  return `${headOf(run)}
| case | bare | ours | ratio | goal | sockjs | socket.io | engine.io |
| --- | --- | --- | --- | --- | --- | --- | --- |
${results.map(summaryRow).join('\n')}

## All servers

A cost has two parts: user and system time, or for memory V8's heap with external memory and the rest of the resident set.
Rates are per second, times of round trips in milliseconds. The last column is the CPU time of the load divided by that of the server.

| case | server | cost | spread | parts | rate | p50 | p99 | load |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${details.join('\n')}
`;
}
