/**
 * Measures the CPU time per message of this server and of others, in interleaved rounds. Absolute figures depend on
 * the machine and its other work, and ratios much less.
 *
 *   npm run bench                      all cases, about an hour
 *   npm run bench -- --section http2   one section of RESULTS.md: servers, drop-in or http2; may be repeated
 *   npm run bench -- --quick           all cases once and short, about two minutes
 *   npm run bench -- --only ws-echo    the cases whose names contain this; may be repeated
 *   npm run bench -- --rounds 3        three rounds in place of five
 *   npm run bench -- --node 26         only this server, on this line of Node.js beside the present one
 *   npm run bench -- --profile         only a CPU profile of this server
 *   npm run bench -- --write           writes the sections to RESULTS.md, and docs/benchmark.svg
 *
 * Some cases of the section `http2` need HAProxy 2.6 or later.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { installNode } from '../test/package/project.ts';
import { CASES, type Case, DROP_IN_CASES, OURS, type Peer } from './cases.ts';
import { HTTP2_CASES } from './http2-cases.ts';
import { HTTP1 } from './load/http.ts';
import type { Measurement, Scale } from './load/measure.ts';
import { drawPicture } from './picture.ts';
import {
  CaseResult,
  type Run,
  formatDropIn,
  formatHttp2,
  formatServers,
  formatVersions,
} from './results.ts';
import { writeMain, writeSection } from './sections.ts';
import { ServerProcess, pinLoad } from './server-process.ts';

const FULL: Scale = { warm: 1500, measured: 1500, idleShare: 1, idleHeartbeat: 25_000 };
const QUICK: Scale = { warm: 100, measured: 200, idleShare: 0.1, idleHeartbeat: 2500 };
const PROFILE: Scale = { ...FULL, warm: 1000, measured: 4000 };
const HEARTBEAT_MS = 25_000;
/** More than any measurement takes. */
const TIMEOUT_MS = 60_000;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    section: { type: 'string', multiple: true },
    only: { type: 'string', multiple: true, default: [''] },
    rounds: { type: 'string' },
    node: { type: 'string' },
    profile: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

for (const part of options.only) {
  if (![...CASES, ...HTTP2_CASES].some(({ id }) => id.includes(part)))
    throw new Error(
      `No case has ${part} in its name. See bench/cases.ts and bench/http2-cases.ts.`,
    );
}

const scale = options.profile ? PROFILE : options.quick ? QUICK : FULL;
const rounds = Number(options.rounds ?? (options.quick || options.profile ? 1 : 5));

function selected(cases: readonly Case[]): Case[] {
  return cases.filter(({ id }) => options.only.some((part) => id.includes(part)));
}

function isOurs({ file }: Peer): boolean {
  return file.startsWith('sockjs-server') || file === 'drop-in.ts';
}

interface Section {
  readonly cases: readonly Case[];
  readonly format: (results: readonly CaseResult[], run: Run) => string;
  readonly write: (text: string, results: readonly CaseResult[]) => void;
}

const SECTIONS: Readonly<Record<string, Section>> = {
  servers: {
    cases: CASES,
    format: formatServers,
    write(text, results) {
      writeMain(text);
      writeFileSync(new URL('../docs/benchmark.svg', import.meta.url), drawPicture(results));
    },
  },
  'drop-in': {
    cases: DROP_IN_CASES,
    format: formatDropIn,
    write: (text) => writeSection('## Drop-in for npm sockjs', text),
  },
  http2: {
    cases: HTTP2_CASES,
    format: formatHttp2,
    write: (text) => writeSection('## HTTP/2', text),
  },
};

function sections(): Section[] {
  return (options.section ?? Object.keys(SECTIONS)).map((name) => {
    const section = SECTIONS[name];
    if (section !== undefined) return section;
    throw new Error(`No section ${name}: ${Object.keys(SECTIONS).join(', ')}`);
  });
}

if (options.write && options.only.some((part) => part !== ''))
  throw new Error('--write needs all cases of a section, so it excludes --only.');

if (options.node !== undefined && options.section !== undefined)
  throw new Error('--node measures the section servers, so it excludes --section.');

const pinned = pinLoad();

async function measure(tested: Case, peer: Peer): Promise<Measurement> {
  const server = await ServerProcess.start({
    file: peer.file,
    heartbeat: tested.idles === true ? scale.idleHeartbeat : HEARTBEAT_MS,
    pinned,
    flags: tested.flags ?? [],
    ...(peer.node === undefined ? {} : { node: peer.node }),
    ...(peer.proxy === undefined ? {} : { proxy: peer.proxy }),
  });
  const timer = setTimeout(() => {
    throw new Error(`${tested.id} on ${peer.name} did not end.`);
  }, TIMEOUT_MS);
  const wire = peer.wire?.() ?? HTTP1;
  const { dialect } = peer;
  const measurement = await tested.load({
    server,
    dialect,
    wire,
    scale,
    profiled: options.profile,
  });
  clearTimeout(timer);
  wire.close();
  await server.end();
  return measurement;
}

async function measureAll(cases: readonly Case[]): Promise<CaseResult[]> {
  const results = cases.map((tested) => new CaseResult(tested));
  for (let round = 1; round <= rounds; round += 1) {
    for (const result of results) {
      process.stderr.write(`round ${round} of ${rounds}: ${result.tested.id}\n`);
      for (const peer of result.tested.peers) {
        result.add(peer.name, await measure(result.tested, peer));
      }
    }
  }
  return results;
}

/** The cases with this server on two lines of Node.js, and without the others. */
async function onVersions(line: string): Promise<Case[]> {
  const present = process.versions.node.split('.')[0] ?? '';
  const other = await installNode(line);
  return selected(CASES).flatMap(({ id, title, unit, load, idles = false, flags = [], peers }) => {
    const ours = peers.find(({ name }) => name === OURS);
    if (ours === undefined) return [];
    const versions = [
      { ...ours, name: present },
      { ...ours, name: line, node: other },
    ];
    return [{ id, title, unit, load, idles, flags, peers: versions }];
  });
}

async function profileOurs(): Promise<void> {
  for (const tested of selected(sections().flatMap(({ cases }) => cases))) {
    for (const peer of tested.peers.filter(isOurs)) {
      const { profile = [], cost } = await measure(tested, peer);
      console.log(
        `\n${tested.title}, ${peer.name}: ${cost.toFixed(1)} ${tested.unit} while profiled`,
      );
      for (const { location, share } of profile) {
        console.log(`${(100 * share).toFixed(1).padStart(6)} %  ${location}`);
      }
    }
  }
}

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

const run = { rounds, quick: options.quick, pinned };
if (options.profile) {
  await profileOurs();
} else if (options.node !== undefined) {
  const text = formatVersions(await measureAll(await onVersions(options.node)), run);
  console.log(text);
  if (options.write) writeSection('## Versions of Node.js', text);
} else {
  for (const { cases, format, write } of sections()) {
    const results = await measureAll(selected(cases));
    if (results.length === 0) continue;
    const text = format(results, run);
    console.log(text);
    if (options.write) write(text, results);
  }
}
