/** Results by round, and their tables. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Case, OURS } from './cases.ts';
import { STREAMS_OF_BROWSER, STREAMS_OF_PROXY } from './http2-cases.ts';
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

  all<T>(peer: string, pick: (measurement: Measurement) => T): T[] {
    return (this.#rounds.get(peer) ?? []).map(pick);
  }

  cost(peer: string): number {
    return median(this.all(peer, ({ cost }) => cost));
  }

  /** Ratios to another server in the same round. */
  ratios(peer: string, other: string = this.bare): number[] {
    const costs = this.all(other, ({ cost }) => cost);
    return this.all(peer, ({ cost }) => cost).map((cost, round) => cost / (costs[round] ?? cost));
  }

  /** The goal of a server, and whether it is missed. */
  goal(peer: string): string {
    const { absolute, goal, unit } = this.tested;
    if (goal === undefined) return '–';
    const text = absolute === true ? `≤ ${goal} ${unit}` : `≤ ${goal.toFixed(2)}`;
    const value = absolute === true ? this.cost(peer) : median(this.ratios(peer));
    return value <= goal ? text : `${text} (missed)`;
  }

  /** The cost of a server with its unit. */
  figure(peer: string): string {
    return `${figure(this.cost(peer))} ${this.tested.unit}`;
  }

  /** The ratio of a server to another one: median, minimum and maximum. */
  ratio(peer: string, other?: string): string {
    const ratios = this.ratios(peer, other);
    return `**${median(ratios).toFixed(2)}** (${spread(ratios)})`;
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
  return row(
    result.tested.title,
    result.figure(result.bare),
    result.figure(OURS),
    result.ratio(OURS),
    result.goal(OURS),
    ...['sockjs', 'socket.io', 'engine.io'].map((peer) => ratio(result, peer)),
  );
}

/** Compares a server with the first one. */
function comparison(result: CaseResult, peer: string): string[] {
  return [result.figure(result.bare), result.figure(peer), result.ratio(peer), result.goal(peer)];
}

function optional(values: readonly (number | undefined)[]): string {
  const numbers = values.filter((value) => value !== undefined);
  return numbers.length === 0 ? '–' : figure(median(numbers));
}

function detailRow(result: CaseResult, peer: string): string {
  const of = (pick: (measurement: Measurement) => number | undefined): string =>
    optional(result.all(peer, pick));
  const isBusier = median(result.all(peer, ({ loadShare = 0 }) => loadShare)) > 1;
  const rates = result.all(peer, ({ rate = 0 }) => rate);
  return row(
    result.tested.title,
    peer,
    result.figure(peer),
    spread(result.all(peer, ({ cost }) => cost)),
    `${of(({ parts }) => parts[0])} + ${of(({ parts }) => parts[1])}`,
    median(rates) === 0 ? '–' : String(Math.round(median(rates))),
    of(({ p50 }) => p50),
    of(({ p99 }) => p99),
    of(({ p999 }) => p999),
    of(({ stall }) => stall),
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

/** When and how often everything was measured. */
function circumstances({ rounds, quick }: Run): string {
  const date = new Date().toISOString().slice(0, 10);
  const times = `${rounds} interleaved ${rounds === 1 ? 'round' : 'rounds'}`;
  const warning = quick
    ? ' This was a quick run: it has fewer idle sessions, and is too short for V8 to optimize the code, so ignore the goals.'
    : '';
  return `on ${date}, in ${times}.${warning}`;
}

const DETAIL_HEAD = `| case | server | cost | spread | parts | rate | p50 | p99 | p99.9 | stall | load |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |`;

function details(results: readonly CaseResult[]): string {
  const rows = results.flatMap((result) =>
    result.tested.peers.map(({ name }) => detailRow(result, name)),
  );
  return `${DETAIL_HEAD}\n${rows.join('\n')}`;
}

/** The first part of RESULTS.md: this server beside others. */
export function formatServers(results: readonly CaseResult[], run: Run): string {
  const cores = `${cpus().length} cores, ${process.platform}, ${process.arch}`;
  const pinning = run.pinned ? 'each pinned to its own core' : 'not pinned to cores';
  return `# Benchmarks

**This file is generated** by \`npm run bench -- --write\`, each section by the command that it names. A figure is the **CPU time of the
server** (user and system) per message. For a broadcast it is per delivery, for polling per round trip. Server and load are separate
processes, ${pinning}. The content, order and number of all responses were checked. Figures are medians, with the minimum
and the maximum in brackets. Absolute figures depend on the machine and its other work. Ratios depend on them much less.

This part is generated by \`npm run bench -- --section servers --write\`, ${circumstances(run)}
Node.js ${process.version}, ${PACKAGES.map(versionOf).join(', ')}; ${cores}.

Ratios are to a bare server, which does the same with \`ws\` or \`node:http\` alone, without sessions and JSON. Memory is the growth of the
process (RSS) per session after a forced collection, with V8's young generation started at its full size. There are 10,000 idle sessions
with a heartbeat every 25 s, and 5,000 idle streams${run.quick ? '; here a tenth of them, with heartbeats ten times as often' : ''}.

| case | bare | ours | ratio | goal | sockjs | socket.io | engine.io |
| --- | --- | --- | --- | --- | --- | --- | --- |
${results.map(summaryRow).join('\n')}

## All servers

A cost has two parts: user and system time, or for memory V8's heap plus external memory, and the rest of the resident set.
Rates are per second. The last column is the CPU time of the load divided by that of the server.

Times are in milliseconds. p50, p99 and p99.9 are those of a round trip as the client measures it: from a send to the last echo of the
message or burst, or from a broadcast to its last receiver. All clients send again at once, so the times include the wait for a client's
turn on a server that is never idle, and are shorter for a server with a lower cost. There are only a few hundred broadcasts, so their p99.9
is about the longest. A stall is the longest time for which the event loop of the server has not returned to its timers, because of
one long turn or of garbage collection: every client waits that long. It is measured to 1 ms, and for idle sessions to 20 ms.

${details(results)}
`;
}

/** The section with the drop-in beside npm `sockjs`. */
export function formatDropIn(results: readonly CaseResult[], run: Run): string {
  const rows = results.flatMap((result) =>
    result.tested.peers
      .slice(1)
      .map(({ name }) => row(result.tested.title, ...comparison(result, name))),
  );
  return `## Drop-in for npm sockjs

**This section is generated** by \`npm run bench -- --section drop-in --write\`, ${circumstances(run)}
Both run the same program, on npm \`sockjs\` and on \`sockjs-server/sockjs\`. A broadcast is a loop of \`connection.write\`.

| case | sockjs | drop-in | ratio | goal |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

${details(results)}
`;
}

/** The section with this server over HTTP/2 and over HTTP/1.1. */
export function formatHttp2(results: readonly CaseResult[], run: Run): string {
  const rows = results.flatMap((result) =>
    result.tested.peers
      .slice(1)
      .map(({ name }) => row(result.tested.title, name, ...comparison(result, name))),
  );
  return `## HTTP/2

**This section is generated** by \`npm run bench -- --section http2 --write\`, ${circumstances(run)}
This server runs over HTTP/2 and over HTTP/1.1. WebSockets over HTTP/2 are streams, which share connections. Over HTTP/1.1 each has a
connection. HAProxy passes the clients' WebSockets on over HTTP/2 or HTTP/1.1, and the cost is that of this server alone. Over TLS,
${STREAMS_OF_BROWSER} clients share a connection, as the tabs of a browser do. For the memory, ${STREAMS_OF_PROXY} do.

| case | over | HTTP/1.1 | HTTP/2 | ratio | goal |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

${details(results)}
`;
}

/** The section with results of this server on two lines of Node.js. */
export function formatVersions(results: readonly CaseResult[], run: Run): string {
  const [base = '', other = ''] = results[0]?.tested.peers.map(({ name }) => name) ?? [];
  const rows = results.map((result) =>
    row(
      result.tested.title,
      result.figure(base),
      result.figure(other),
      result.ratio(other),
      ...[base, other].map((peer) => optional(result.all(peer, ({ p99 }) => p99))),
    ),
  );
  return `## Versions of Node.js

**This section is generated** by \`npm run bench -- --node ${other} --write\`, ${circumstances(run)}
This server runs on Node.js ${base} and ${other}. The columns p99 are times of round trips in milliseconds.

| case | Node.js ${base} | Node.js ${other} | ratio | p99 on ${base} | p99 on ${other} |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}
