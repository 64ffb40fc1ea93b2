/** Makes an input smaller, for as long as it still does what it did, or until it has been tried often enough. */
import type { Input, Step } from './input.ts';

const MOST_TRIALS = 150;

/** The halves that a step's data can do without, first the large ones. */
function* shorter(step: Step): Generator<Step> {
  if (!('data' in step)) return;
  const { data } = step;
  for (let size = Math.ceil(data.length / 2); size > 4; size = Math.ceil(size / 2)) {
    for (let at = 0; at < data.length; at += size) {
      yield { ...step, data: data.slice(0, at) + data.slice(at + size) };
    }
  }
}

function* smaller(input: Input): Generator<Input> {
  const { steps } = input;
  for (const index of steps.keys()) yield { ...input, steps: steps.toSpliced(index, 1) };
  for (const [index, step] of steps.entries()) {
    for (const part of shorter(step)) yield { ...input, steps: steps.with(index, part) };
  }
}

export async function minimise(
  input: Input,
  stillDoes: (input: Input) => Promise<boolean>,
): Promise<Input> {
  let least = input;
  let trials = 0;
  for (let goesOn = true; goesOn && trials < MOST_TRIALS;) {
    goesOn = false;
    for (const candidate of smaller(least)) {
      trials += 1;
      if (trials > MOST_TRIALS) break;
      if (!(await stillDoes(candidate))) continue;
      least = candidate;
      goesOn = true;
      break;
    }
  }
  return least;
}
