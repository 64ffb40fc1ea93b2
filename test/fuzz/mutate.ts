/** Changes inputs that have reached something, in the hope that they reach more. */
import type { Dice } from '../faults/dice.ts';
import { noise, payload } from './payloads.ts';
import { frames } from './frames.ts';
import { CONNECTIONS, type Input, type Step, TARGETS } from './input.ts';
import { encode, request } from './requests.ts';

const MOST_STEPS = 30;
const MOST_BYTES = 20_000;
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

function changeData(dice: Dice, data: string): string {
  const at = dice.between(0, data.length);
  const end = dice.between(at, Math.min(data.length, at + 20));
  const [before, part, after] = [data.slice(0, at), data.slice(at, end), data.slice(end)];
  switch (dice.between(0, 7)) {
    case 0:
      return before + after;
    case 1:
      return before + part.repeat(dice.between(2, 50)) + after;
    case 2:
      return before + dice.pick(TOKENS) + after;
    case 3:
      return before + noise(dice, 5) + after;
    case 4:
      return before + payload(dice) + after;
    case 5:
      return before;
    case 6:
      return data + (dice.oneIn(2) ? frames(dice) : encode(dice, request(dice)));
    default:
      return before + String.fromCharCode(dice.between(0, 255)) + data.slice(at + 1);
  }
}

function changed(dice: Dice, step: Step): Step {
  const other = dice.between(0, CONNECTIONS - 1);
  if (!('data' in step) || dice.oneIn(6)) return { ...step, on: other };
  if (dice.oneIn(12)) return { ...step, do: step.do === 'send' ? 'trickle' : 'send' };
  return { ...step, data: changeData(dice, step.data).slice(0, MOST_BYTES) };
}

const EVENTS = ['answer', 'end', 'reset', 'pause', 'resume'] as const;

function changeSteps(dice: Dice, steps: readonly Step[], others: readonly Step[]): Step[] {
  const at = dice.between(0, steps.length);
  const [before, after] = [steps.slice(0, at), steps.slice(at)];
  switch (dice.between(0, 7)) {
    case 0:
      return [...before, ...after.slice(1)];
    case 1:
      return [...before, ...after.slice(0, 1), ...after];
    case 2:
      return [...before, { do: dice.pick(EVENTS), on: dice.between(0, CONNECTIONS - 1) }, ...after];
    case 3:
      return [...before, ...others.slice(dice.between(0, others.length))];
    default:
      return [
        ...before,
        ...after.slice(0, 1).map((step) => changed(dice, step)),
        ...after.slice(1),
      ];
  }
}

/** @param other whose steps may take the place of some */
export function mutate(dice: Dice, input: Input, other: Input): Input {
  let { steps } = input;
  for (let count = dice.between(1, 4); count > 0; count -= 1) {
    steps = changeSteps(dice, steps, other.steps);
  }
  const target = dice.oneIn(8) ? dice.between(0, TARGETS - 1) : input.target;
  return { kind: 'mutated', target, steps: steps.slice(0, MOST_STEPS) };
}
