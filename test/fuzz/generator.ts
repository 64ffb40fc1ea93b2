/** Generates inputs: single requests, whole sessions in the order of the protocol, and disturbed ones. */
import type { SeededRandom } from '../../testkit/random.ts';
import { noise } from './payloads.ts';
import { frameFlood, frames } from './frames.ts';
import { CONNECTIONS, type Input, SERVERS, type Step } from './input.ts';
import { encode, receive, request, send, damage, upgrade } from './requests.ts';

function repeat<T>(random: SeededRandom, min: number, max: number, make: () => T): T[] {
  return Array.from({ length: random.integer(min, max) }, make);
}

function write(random: SeededRandom, on: number, data: string): Step {
  return { do: random.oneIn(12) ? 'trickle' : 'send', on, data };
}

/** One request with a defect. */
function singleRequest(random: SeededRandom): Step[] {
  const data = encode(random, damage(random, request(random)));
  return [write(random, 0, data), { do: 'await', on: 0 }];
}

/** Several requests on one connection, sent without waiting. */
function pipeline(random: SeededRandom): Step[] {
  const all = repeat(random, 2, 6, () =>
    encode(random, random.oneIn(3) ? damage(random, request(random)) : request(random)),
  );
  return [write(random, 0, all.join('')), { do: 'await', on: 0 }];
}

/** An upgrade request with defects, followed by frames as if it had been accepted. */
function damagedUpgrade(random: SeededRandom): Step[] {
  const data = encode(random, damage(random, damage(random, upgrade(random))));
  return [write(random, 0, data + (random.oneIn(2) ? frames(random) : '')), { do: 'await', on: 0 }];
}

/** A WebSocket that opens, then frames of all kinds. */
function webSocket(random: SeededRandom): Step[] {
  const messages = repeat(random, 1, 6, () => write(random, 0, frames(random)));
  return [
    write(random, 0, encode(random, upgrade(random))),
    { do: 'await', on: 0 },
    ...messages.flatMap((step): Step[] =>
      random.oneIn(3) ? [step, { do: 'await', on: 0 }] : [step],
    ),
    { do: 'await', on: 0 },
  ];
}

/** A WebSocket that opens, then many frames without a message between messages. */
function floodedWebSocket(random: SeededRandom): Step[] {
  const writes = repeat(random, 1, 4, (): Step[] => [
    { do: 'send', on: 0, data: frameFlood(random) },
    { do: 'send', on: 0, data: frames(random) },
  ]);
  return [
    { do: 'send', on: 0, data: encode(random, upgrade(random)) },
    { do: 'await', on: 0 },
    ...(random.oneIn(3) ? [{ do: 'pause', on: 0 } as const] : []),
    ...writes.flat(),
    { do: 'await', on: 0 },
  ];
}

/** More requests on one connection than may wait, or requests with more headers than are allowed. */
function deepPipeline(random: SeededRandom): Step[] {
  const head = random.pick(['GET /echo/sockjs.js', 'GET /echo/info', 'POST /echo/0/SESSION0/xhr']);
  const count = random.pick([1, 50, 101, 990]);
  const headers = 'a: b\r\n'.repeat(count === 1 ? random.pick([0, 99, 150, 990]) : 0);
  const one = `${head} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n${headers}\r\n`;
  const steps: Step[] = [
    { do: 'send', on: 0, data: one.repeat(count) },
    { do: 'await', on: 0 },
  ];
  return random.oneIn(2) ? [{ do: 'pause', on: 0 }, ...steps] : steps;
}

/** A session over HTTP that sends and receives on several connections, with long pauses. */
function httpSession(random: SeededRandom): Step[] {
  const base = `${random.pick(['/echo', '/echo', '/echo', '/all', '/ws'])}/0/SESSION0`;
  const query = random.oneIn(4) ? `?open=${random.pick(['later', 'refuse', 'refuse-later'])}` : '';
  const opening = receive(random, base);
  const open = {
    ...opening,
    target: opening.target + query.replace('?', opening.target.includes('?') ? '&' : '?'),
  };
  const steps: Step[] = [
    { do: 'send', on: 0, data: encode(random, open) },
    { do: 'await', on: 0 },
  ];
  for (let count = random.integer(1, 6); count > 0; count -= 1) {
    const on = random.integer(0, CONNECTIONS - 1);
    const next = random.oneIn(2) ? receive(random, base) : send(random, base);
    steps.push(write(random, on, encode(random, random.oneIn(8) ? damage(random, next) : next)));
    if (!random.oneIn(4)) steps.push({ do: 'await', on });
    if (random.oneIn(60)) steps.push({ do: 'rest', on });
  }
  return steps;
}

/** A client that requests much data and reads nothing. */
function neverReading(random: SeededRandom): Step[] {
  const steps = random.oneIn(2) ? httpSession(random) : webSocket(random);
  const flood = send(random, '/echo/0/SESSION0');
  const floodRequest = encode(random, {
    ...flood,
    body: '["flood","huge","flood"]',
    target: '/echo/0/SESSION0/xhr_send',
  });
  return [
    ...steps.slice(0, 2),
    { do: 'pause', on: 0 },
    ...steps.slice(2),
    { do: 'send', on: 1, data: floodRequest.repeat(random.integer(1, 20)) },
    { do: 'await', on: 1 },
    ...(random.oneIn(10) ? [{ do: 'rest', on: 0 } as const] : []),
    ...(random.oneIn(2) ? [{ do: 'resume', on: 0 } as const] : []),
  ];
}

type Generator = (random: SeededRandom) => Step[];
const COMPLETE = [
  singleRequest,
  pipeline,
  damagedUpgrade,
  webSocket,
  floodedWebSocket,
  deepPipeline,
  httpSession,
  httpSession,
  neverReading,
] as const;

/** One of the others, cut at any byte of any step. */
function cutOff(random: SeededRandom): Step[] {
  const steps = random.pick(COMPLETE)(random);
  const at = random.integer(0, steps.length - 1);
  const step = steps[at];
  if (step === undefined) return steps;
  const { on } = step;
  const before = steps.slice(0, at);
  const cut =
    'data' in step
      ? [{ ...step, data: step.data.slice(0, random.integer(0, step.data.length)) }]
      : [];
  const after = random.oneIn(2) ? steps.slice(at + 1) : [];
  return [...before, ...cut, { do: random.oneIn(2) ? 'reset' : 'end', on }, ...after];
}

/** One of the others, with noise between its steps. */
function withNoise(random: SeededRandom): Step[] {
  return random
    .pick(COMPLETE)(random)
    .flatMap((step): Step[] => {
      if (!random.oneIn(4)) return [step];
      const on = random.integer(0, CONNECTIONS - 1);
      const data = random.oneIn(2)
        ? noise(random, 50)
        : encode(random, damage(random, request(random)));
      return [write(random, on, data), step];
    });
}

const GENERATORS: Readonly<Record<string, Generator>> = {
  'one request': singleRequest,
  'pipelined requests': pipeline,
  'upgrade request': damagedUpgrade,
  'WebSocket frames': webSocket,
  'flood of frames': floodedWebSocket,
  'deep pipeline': deepPipeline,
  'HTTP session': httpSession,
  'client that never reads': neverReading,
  'cut off': cutOff,
  'with noise': withNoise,
};
const KINDS = Object.keys(GENERATORS) as [string, ...string[]];

export function generate(random: SeededRandom): Input {
  const kind = random.pick(KINDS);
  const server = random.integer(0, SERVERS - 1);
  return { kind, server, steps: GENERATORS[kind]?.(random) ?? [] };
}
