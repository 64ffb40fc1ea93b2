/**
 * Measures the CPU time per message of this server and of others, in interleaved rounds. Absolute figures depend on
 * the machine and its other work. Ratios are stable.
 *
 *   npm run bench                      all cases, about 40 minutes
 *   npm run bench -- --quick           all cases once and short, about a minute
 *   npm run bench -- --only ws-echo    the cases whose names contain this; may be repeated
 *   npm run bench -- --rounds 3        three rounds in place of five
 *   npm run bench -- --profile         only a CPU profile of this server
 *   npm run bench -- --write           writes RESULTS.md and docs/benchmark.svg
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CASES, type Case, OURS, type Peer } from './cases.ts';
import type { Measurement, Scale } from './load/measure.ts';
import { drawPicture } from './picture.ts';
import { readCluster } from './cluster/report.ts';
import { CaseResult, formatResults } from './results.ts';
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
    only: { type: 'string', multiple: true, default: [''] },
    rounds: { type: 'string' },
    profile: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

const scale = options.profile ? PROFILE : options.quick ? QUICK : FULL;
const rounds = Number(options.rounds ?? (options.quick || options.profile ? 1 : 5));
const cases = CASES.filter(({ id }) => options.only.some((part) => id.includes(part)));
const pinned = pinLoad();

async function measure(tested: Case, peer: Peer): Promise<Measurement> {
  const server = await ServerProcess.start({
    file: peer.file,
    heartbeat: tested.idles === true ? scale.idleHeartbeat : HEARTBEAT_MS,
    pinned,
    flags: tested.flags ?? [],
  });
  const timer = setTimeout(() => {
    throw new Error(`${tested.id} on ${peer.name} did not end.`);
  }, TIMEOUT_MS);
  const conditions = { server, dialect: peer.dialect, scale, profiled: options.profile };
  const measurement = await tested.load(conditions);
  clearTimeout(timer);
  await server.end();
  return measurement;
}

async function measureAll(): Promise<CaseResult[]> {
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

async function profileOurs(): Promise<void> {
  for (const tested of cases) {
    const peer = tested.peers.find(({ name }) => name === OURS);
    if (peer === undefined) continue;
    const { profile = [], cost } = await measure(tested, peer);
    console.log(`\n${tested.title}: ${cost.toFixed(1)} ${tested.unit} while profiled`);
    for (const { location, share } of profile) {
      console.log(`${(100 * share).toFixed(1).padStart(6)} %  ${location}`);
    }
  }
}

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

if (options.profile) {
  await profileOurs();
} else {
  const results = await measureAll();
  const text = formatResults(results, { rounds, quick: options.quick, pinned });
  console.log(text);
  if (options.write) {
    const file = new URL('RESULTS.md', import.meta.url);
    writeFileSync(file, text + readCluster(file));
    writeFileSync(new URL('../docs/benchmark.svg', import.meta.url), drawPicture(results));
  }
}
