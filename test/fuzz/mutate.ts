/** Mutates inputs that have reached new branches. */
import type { SeededRandom } from '../../testkit/random.ts';
import { noise, payload } from './payloads.ts';
import { frames } from './frames.ts';
import { CONNECTIONS, type Input, type Step, SERVERS } from './input.ts';
import { encode, request } from './requests.ts';

const MAX_STEPS = 30;
const MAX_BYTES = 20_000;
const TOKENS = [
  '\r\n',
  '\r\n\r\n',
  '\0',
  ' ',
  ':',
  '%',
  '0',
  '-1',
  '9999999999',
  'Connection: close\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\n',
  'Transfer-Encoding: chunked\r\n',
  'SESSION0',
  '/xhr_streaming',
] as const;

function mutateData(random: SeededRandom, data: string): string {
  const at = random.integer(0, data.length);
  const end = random.integer(at, Math.min(data.length, at + 20));
  const [before, part, after] = [data.slice(0, at), data.slice(at, end), data.slice(end)];
  switch (random.integer(0, 7)) {
    case 0:
      return before + after;
    case 1:
      return before + part.repeat(random.integer(2, 50)) + after;
    case 2:
      return before + random.pick(TOKENS) + after;
    case 3:
      return before + noise(random, 5) + after;
    case 4:
      return before + payload(random) + after;
    case 5:
      return before;
    case 6:
      return data + (random.oneIn(2) ? frames(random) : encode(random, request(random)));
    default:
      return before + String.fromCharCode(random.integer(0, 255)) + data.slice(at + 1);
  }
}

function mutateStep(random: SeededRandom, step: Step): Step {
  const other = random.integer(0, CONNECTIONS - 1);
  if (!('data' in step) || random.oneIn(6)) return { ...step, on: other };
  if (random.oneIn(12)) return { ...step, do: step.do === 'send' ? 'trickle' : 'send' };
  return { ...step, data: mutateData(random, step.data).slice(0, MAX_BYTES) };
}

const EVENTS = ['await', 'end', 'reset', 'pause', 'resume'] as const;

function mutateSteps(
  random: SeededRandom,
  steps: readonly Step[],
  others: readonly Step[],
): Step[] {
  const at = random.integer(0, steps.length);
  const [before, after] = [steps.slice(0, at), steps.slice(at)];
  switch (random.integer(0, 7)) {
    case 0:
      return [...before, ...after.slice(1)];
    case 1:
      return [...before, ...after.slice(0, 1), ...after];
    case 2:
      return [
        ...before,
        { do: random.pick(EVENTS), on: random.integer(0, CONNECTIONS - 1) },
        ...after,
      ];
    case 3:
      return [...before, ...others.slice(random.integer(0, others.length))];
    default:
      return [
        ...before,
        ...after.slice(0, 1).map((step) => mutateStep(random, step)),
        ...after.slice(1),
      ];
  }
}

/** @param other source of steps that may replace some of the input */
export function mutate(random: SeededRandom, input: Input, other: Input): Input {
  let { steps } = input;
  for (let count = random.integer(1, 4); count > 0; count -= 1) {
    steps = mutateSteps(random, steps, other.steps);
  }
  const server = random.oneIn(8) ? random.integer(0, SERVERS - 1) : input.server;
  return { kind: 'mutated', server, steps: steps.slice(0, MAX_STEPS) };
}
