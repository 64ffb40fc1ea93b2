/** Minimises an input by removing parts of it while its effect stays the same. */
import type { Input, Step } from './input.ts';

const MAX_TRIALS = 150;

/** The step without one part of its data. Large parts come first. */
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

/** @param hasEffect plays a smaller input, and returns whether it still has the effect */
export async function minimise(
  input: Input,
  hasEffect: (input: Input) => Promise<boolean>,
): Promise<Input> {
  let smallest = input;
  let trials = 0;
  for (let isShrinking = true; isShrinking && trials < MAX_TRIALS;) {
    isShrinking = false;
    for (const candidate of smaller(smallest)) {
      trials += 1;
      if (trials > MAX_TRIALS) break;
      if (!(await hasEffect(candidate))) continue;
      smallest = candidate;
      isShrinking = true;
      break;
    }
  }
  return smallest;
}
