/** WebSocket frames: valid ones, and invalid ones of each kind. RFC 6455, 5.2. */
import type { SeededRandom } from '../../testkit/random.ts';
import {
  type FrameOptions,
  OPCODE,
  encodeClose,
  encodeFrame,
} from '../../testkit/websocket-frames.ts';
import { noise, payload } from './payloads.ts';

const MASK = Buffer.from([1, 2, 3, 4]);

function encode(opcode: number, data: string, options: FrameOptions = {}): string {
  const bytes = Buffer.from(data, 'latin1');
  return encodeFrame(opcode, bytes, { mask: MASK, ...options }).toString('latin1');
}

function closePayload(random: SeededRandom): string {
  const code = random.pick([1000, 1001, 1005, 1006, 1015, 0, 999, 2999, 3000, 4999, 5000, 65_535]);
  const bytes = encodeClose(code).toString('latin1');
  return random.pick(['', '\x03', bytes, `${bytes}bye`, `${bytes}\xff`, bytes + 'r'.repeat(123)]);
}

function fragments(random: SeededRandom): string {
  const data = payload(random);
  const middle = random.integer(0, data.length);
  const first = encode(OPCODE.text, data.slice(0, middle), { fin: false });
  const between = random.oneIn(2) ? encode(OPCODE.ping, 'between') : '';
  const last = encode(random.oneIn(6) ? OPCODE.text : OPCODE.continuation, data.slice(middle));
  return first + between + last;
}

function invalid(random: SeededRandom): string {
  const data = payload(random);
  switch (random.integer(0, 9)) {
    case 0:
      return encode(random.integer(3, 15), data);
    case 1:
      return encode(OPCODE.text, data, { rsv: random.integer(1, 7) });
    case 2:
      return encode(OPCODE.text, data, { mask: false });
    case 3:
      return encode(OPCODE.text, data, { declaredLength: data.length + random.integer(1, 70_000) });
    case 4:
      return encode(OPCODE.text, data, { declaredLength: 2n ** 63n - 1n });
    case 5:
      return encode(OPCODE.text, '', { declaredLength: random.integer(1025, 2 ** 31) });
    case 6:
      return encode(OPCODE.ping, 'p'.repeat(126));
    case 7:
      return encode(OPCODE.ping, 'p', { fin: false });
    case 8:
      return encode(OPCODE.continuation, data);
    default:
      return encode(OPCODE.continuation, '', { fin: false }).repeat(random.integer(1, 300));
  }
}

/** Many frames that carry no message, or an empty one. */
export function frameFlood(random: SeededRandom): string {
  const frame = random.pick([
    encode(OPCODE.ping, ''),
    encode(OPCODE.ping, 'p'.repeat(125)),
    encode(OPCODE.pong, ''),
    encode(OPCODE.text, ''),
    encode(OPCODE.text, '[]'),
    encode(OPCODE.text, '[', { fin: false }) + encode(OPCODE.continuation, ']'),
  ]);
  return frame.repeat(random.integer(50, 2000));
}

/** One frame, or several that belong together. */
export function frames(random: SeededRandom): string {
  switch (random.integer(0, 11)) {
    case 0:
      return encode(OPCODE.close, closePayload(random));
    case 1:
      return encode(OPCODE.ping, noise(random, 125)).repeat(random.integer(1, 50));
    case 2:
      return encode(OPCODE.pong, noise(random, 125));
    case 3:
      return encode(OPCODE.binary, noise(random, 300));
    case 4:
    case 5:
      return invalid(random);
    case 6:
      return fragments(random);
    case 7:
      return noise(random, 40);
    default:
      return encode(OPCODE.text, payload(random));
  }
}
