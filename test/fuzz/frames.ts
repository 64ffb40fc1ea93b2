/** WebSocket frames as a client sends them, and as none should: RFC 6455, 5.2. */
import type { Dice } from '../faults/dice.ts';
import { noise, payload } from './payloads.ts';

interface Frame {
  readonly opcode: number;
  readonly payload: string;
  readonly final?: boolean;
  readonly reserved?: number;
  readonly masked?: boolean;
  /** What the head says, where that is not so. */
  readonly length?: number | bigint;
}

const MASK = Buffer.from([1, 2, 3, 4]);

function lengthBytes(length: number | bigint): Buffer {
  if (length < 126) return Buffer.from([Number(length)]);
  if (length < 65_536) return Buffer.from([126, Number(length) >> 8, Number(length) & 255]);
  const bytes = Buffer.alloc(9, 127);
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

function encode(frame: Frame): string {
  const { opcode, final = true, reserved = 0, masked = true } = frame;
  const data = Buffer.from(frame.payload, 'latin1');
  const size = lengthBytes(frame.length ?? data.length);
  if (masked) size[0] = (size[0] ?? 0) | 128;
  const first = Buffer.from([(final ? 128 : 0) | (reserved << 4) | opcode]);
  const mask = masked ? MASK : Buffer.alloc(0);
  if (masked)
    for (let at = 0; at < data.length; at += 1) data[at] = (data[at] ?? 0) ^ ((at % 4) + 1);
  return Buffer.concat([first, size, mask, data]).toString('latin1');
}

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

function closing(dice: Dice): string {
  const code = dice.pick([1000, 1001, 1005, 1006, 1015, 0, 999, 2999, 3000, 4999, 5000, 65_535]);
  const both = String.fromCharCode(code >> 8, code & 255);
  return dice.pick(['', '\x03', both, `${both}bye`, `${both}\xff`, both + 'r'.repeat(123)]);
}

function fragments(dice: Dice): string {
  const data = payload(dice);
  const middle = dice.between(0, data.length);
  const first = encode({ opcode: TEXT, payload: data.slice(0, middle), final: false });
  const between = dice.oneIn(2) ? encode({ opcode: PING, payload: 'between' }) : '';
  const last = encode({ opcode: dice.oneIn(6) ? TEXT : 0, payload: data.slice(middle) });
  return first + between + last;
}

function wrong(dice: Dice): string {
  const data = payload(dice);
  switch (dice.between(0, 9)) {
    case 0:
      return encode({ opcode: dice.between(3, 15), payload: data });
    case 1:
      return encode({ opcode: TEXT, payload: data, reserved: dice.between(1, 7) });
    case 2:
      return encode({ opcode: TEXT, payload: data, masked: false });
    case 3:
      return encode({ opcode: TEXT, payload: data, length: data.length + dice.between(1, 70_000) });
    case 4:
      return encode({ opcode: TEXT, payload: data, length: 2n ** 63n - 1n });
    case 5:
      return encode({ opcode: TEXT, payload: '', length: dice.between(1025, 2 ** 31) });
    case 6:
      return encode({ opcode: PING, payload: 'p'.repeat(126) });
    case 7:
      return encode({ opcode: PING, payload: 'p', final: false });
    case 8:
      return encode({ opcode: 0, payload: data });
    default:
      return encode({ opcode: 0, payload: '', final: false }).repeat(dice.between(1, 300));
  }
}

/** One frame, or a few that belong together. */
export function frames(dice: Dice): string {
  switch (dice.between(0, 11)) {
    case 0:
      return encode({ opcode: CLOSE, payload: closing(dice) });
    case 1:
      return encode({ opcode: PING, payload: noise(dice, 125) }).repeat(dice.between(1, 50));
    case 2:
      return encode({ opcode: PONG, payload: noise(dice, 125) });
    case 3:
      return encode({ opcode: BINARY, payload: noise(dice, 300) });
    case 4:
    case 5:
      return wrong(dice);
    case 6:
      return fragments(dice);
    case 7:
      return noise(dice, 40);
    default:
      return encode({ opcode: TEXT, payload: payload(dice) });
  }
}
