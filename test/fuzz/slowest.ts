/** Searches for the inputs that take each parser the most time per byte. */
import type { SeededRandom } from '../../testkit/random.ts';
import { isNonEmpty } from './input.ts';
import type { Parser } from './parsers.ts';
import { type Shape, expand, mutateShape } from './shapes.ts';

interface Slowness {
  readonly shape: Shape;
  readonly nsPerByte: number;
}

export interface Slowest extends Slowness {
  readonly parser: Parser;
  /** Time for an input of the longest length, in milliseconds. */
  readonly ms: number;
}

/** Length of the inputs during the search. */
const SEARCH_BYTES = 65_536;
const MAX_KEPT = 8;
const RUNS = 3;

/** Some systems count the processor time of a thread in ticks. */
const TICK_MS = 10;

/**
 * Measures the time that a call takes, in milliseconds. On a busy machine, the processor time of this thread shows how
 * long a long call would take alone. For a short call, only the clock is exact enough.
 */
export function measure(call: () => unknown): number {
  const before = process.threadCpuUsage();
  const start = performance.now();
  call();
  const elapsed = performance.now() - start;
  const { user, system } = process.threadCpuUsage(before);
  return Math.min(elapsed, (user + system) / 1000 + TICK_MS);
}

/** Measures a few runs, and returns the shortest time. */
function measureBest(parser: Parser, input: string, runs = RUNS): number {
  return Math.min(...Array.from({ length: runs }, () => measure(() => parser.parse(input))));
}

/** Returns the time for each byte of a long input, in nanoseconds. An input that cannot be long counts as one. */
function nsPerByte(parser: Parser, shape: Shape, runs: number): number {
  const length = Math.min(SEARCH_BYTES, parser.limit.bytes);
  const input = expand(shape, length);
  try {
    return (measureBest(parser, input, runs) * 1e6) / Math.max(length, input.length);
  } catch (cause) {
    throw new Error(`${parser.name} has failed for ${JSON.stringify(shape)}`, { cause });
  }
}

/** Searches one parser until `isEnough` returns true. */
export function findSlowest(
  parser: Parser,
  random: SeededRandom,
  isEnough: () => boolean,
): Slowest {
  const rank = (shape: Shape) => ({ shape, nsPerByte: nsPerByte(parser, shape, RUNS) });
  const bySpeed = (left: Slowness, right: Slowness): number => right.nsPerByte - left.nsPerByte;
  let kept = parser.shapes.map(rank).toSorted(bySpeed).slice(0, MAX_KEPT);
  while (isNonEmpty(kept) && !isEnough()) {
    const shape = mutateShape(random, random.pick(kept).shape, parser.shapes);
    const threshold = kept.at(-1)?.nsPerByte ?? 0;
    // One run shows that most mutations are fast.
    if (nsPerByte(parser, shape, 1) <= threshold) continue;
    kept = [...kept, rank(shape)].toSorted(bySpeed).slice(0, MAX_KEPT);
  }
  const [slowest = { shape: { start: '', unit: '', end: '' }, nsPerByte: 0 }] = kept;
  const ms = measureBest(parser, expand(slowest.shape, parser.limit.bytes));
  return { parser, ...slowest, ms };
}
