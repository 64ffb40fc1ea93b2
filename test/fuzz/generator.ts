/** Inputs by the grammar: single requests, whole sessions in the order of the protocol, and trouble in between. */
import type { Dice } from '../faults/dice.ts';
import { noise } from './payloads.ts';
import { frames } from './frames.ts';
import { CONNECTIONS, type Input, type Step, TARGETS } from './input.ts';
import { encode, receive, request, send, spoiled, upgrade } from './requests.ts';

function someOf<T>(dice: Dice, least: number, most: number, make: () => T): T[] {
  return Array.from({ length: dice.between(least, most) }, make);
}

function say(dice: Dice, on: number, data: string): Step {
  return { do: dice.oneIn(12) ? 'trickle' : 'send', on, data };
}

/** One request with something wrong. */
function single(dice: Dice): Step[] {
  const data = encode(dice, spoiled(dice, request(dice)));
  return [say(dice, 0, data), { do: 'answer', on: 0 }];
}

/** Several on one connection, without waiting. */
function pipeline(dice: Dice): Step[] {
  const all = someOf(dice, 2, 6, () =>
    encode(dice, dice.oneIn(3) ? spoiled(dice, request(dice)) : request(dice)),
  );
  return [say(dice, 0, all.join('')), { do: 'answer', on: 0 }];
}

/** A request for an upgrade with something wrong, and frames as if it had been given. */
function upgrading(dice: Dice): Step[] {
  const data = encode(dice, spoiled(dice, spoiled(dice, upgrade(dice))));
  return [say(dice, 0, data + (dice.oneIn(2) ? frames(dice) : '')), { do: 'answer', on: 0 }];
}

/** A WebSocket that opens, and frames of all kinds. */
function webSocket(dice: Dice): Step[] {
  const talk = someOf(dice, 1, 6, () => say(dice, 0, frames(dice)));
  return [
    say(dice, 0, encode(dice, upgrade(dice))),
    { do: 'answer', on: 0 },
    ...talk.flatMap((step): Step[] => (dice.oneIn(3) ? [step, { do: 'answer', on: 0 }] : [step])),
    { do: 'answer', on: 0 },
  ];
}

/** Opens a session over HTTP, sends and receives on several connections, and comes back late. */
function session(dice: Dice): Step[] {
  const base = `${dice.pick(['/echo', '/echo', '/echo', '/all', '/ws'])}/0/SESSION0`;
  const query = dice.oneIn(4) ? `?open=${dice.pick(['later', 'refuse', 'refuse-later'])}` : '';
  const opening = receive(dice, base);
  const open = {
    ...opening,
    target: opening.target + query.replace('?', opening.target.includes('?') ? '&' : '?'),
  };
  const steps: Step[] = [
    { do: 'send', on: 0, data: encode(dice, open) },
    { do: 'answer', on: 0 },
  ];
  for (let turn = dice.between(1, 6); turn > 0; turn -= 1) {
    const on = dice.between(0, CONNECTIONS - 1);
    const next = dice.oneIn(2) ? receive(dice, base) : send(dice, base);
    steps.push(say(dice, on, encode(dice, dice.oneIn(8) ? spoiled(dice, next) : next)));
    if (!dice.oneIn(4)) steps.push({ do: 'answer', on });
    if (dice.oneIn(60)) steps.push({ do: 'rest', on });
  }
  return steps;
}

/** A client that asks for much and takes nothing. */
function neverReading(dice: Dice): Step[] {
  const steps = dice.oneIn(2) ? session(dice) : webSocket(dice);
  const flood = send(dice, '/echo/0/SESSION0');
  const asking = encode(dice, {
    ...flood,
    body: '["flood","huge","flood"]',
    target: '/echo/0/SESSION0/xhr_send',
  });
  return [
    ...steps.slice(0, 2),
    { do: 'pause', on: 0 },
    ...steps.slice(2),
    { do: 'send', on: 1, data: asking.repeat(dice.between(1, 20)) },
    { do: 'answer', on: 1 },
    ...(dice.oneIn(10) ? [{ do: 'rest', on: 0 } as const] : []),
    ...(dice.oneIn(2) ? [{ do: 'resume', on: 0 } as const] : []),
  ];
}

type Scene = (dice: Dice) => Step[];
const WHOLE = [single, pipeline, upgrading, webSocket, session, session, neverReading] as const;

/** Any of the others, broken off at some byte of some step. */
function brokenOff(dice: Dice): Step[] {
  const steps = dice.pick(WHOLE)(dice);
  const at = dice.between(0, steps.length - 1);
  const step = steps[at];
  if (step === undefined) return steps;
  const { on } = step;
  const before = steps.slice(0, at);
  const cut =
    'data' in step
      ? [{ ...step, data: step.data.slice(0, dice.between(0, step.data.length)) }]
      : [];
  const after = dice.oneIn(2) ? steps.slice(at + 1) : [];
  return [...before, ...cut, { do: dice.oneIn(2) ? 'reset' : 'end', on }, ...after];
}

/** Garbage put between the steps of any of the others. */
function garbled(dice: Dice): Step[] {
  return dice
    .pick(WHOLE)(dice)
    .flatMap((step): Step[] => {
      if (!dice.oneIn(4)) return [step];
      const on = dice.between(0, CONNECTIONS - 1);
      const data = dice.oneIn(2) ? noise(dice, 50) : encode(dice, spoiled(dice, request(dice)));
      return [say(dice, on, data), step];
    });
}

const SCENES: Readonly<Record<string, Scene>> = {
  'one request': single,
  'pipelined requests': pipeline,
  'request for an upgrade': upgrading,
  'WebSocket frames': webSocket,
  'session over HTTP': session,
  'client that reads nothing': neverReading,
  'broken off': brokenOff,
  garbled,
};
const KINDS = Object.keys(SCENES) as [string, ...string[]];

export function generate(dice: Dice): Input {
  const kind = dice.pick(KINDS);
  const target = dice.between(0, TARGETS - 1);
  return { kind, target, steps: SCENES[kind]?.(dice) ?? [] };
}
