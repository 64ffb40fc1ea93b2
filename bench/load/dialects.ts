/** The protocol of each WebSocket server. */
import type { Framing } from './inbox.ts';

export interface Dialect extends Framing {
  readonly path: string;
  /** Frames of the server that open a session, with the replies of the client. */
  readonly opening: readonly Exchange[];
  /** A heartbeat other than a ping. */
  readonly heartbeat?: Exchange;
  /** Encodes a message of the client. */
  readonly encode: (text: string) => string;
}

/** A frame of the server that is not a message, and the reply of the client. */
export interface Exchange {
  /** Start of the frame. */
  readonly frame: string;
  readonly reply?: string;
}

function plain(text: string): string {
  return text;
}

const quote: (text: string) => string = JSON.stringify;

export const SOCKJS_FRAMING: Framing = { head: 'a[', tail: ']', quote };

export const BARE: Dialect = {
  path: '/',
  opening: [{ frame: 'o' }],
  encode: plain,
  head: '',
  tail: '',
  quote: plain,
};

export const SOCKJS: Dialect = {
  ...SOCKJS_FRAMING,
  path: '/echo/000/benchmark/websocket',
  opening: [{ frame: 'o' }],
  heartbeat: { frame: 'h' },
  encode: (text) => `[${quote(text)}]`,
};

const PING = { frame: '2', reply: '3' };

export const SOCKET_IO: Dialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  opening: [{ frame: '0{', reply: '40' }, { frame: '40{' }],
  heartbeat: PING,
  encode: (text) => `42["message",${quote(text)}]`,
  head: '42["message",',
  tail: ']',
  quote,
};

export const ENGINE_IO: Dialect = {
  path: '/engine.io/?EIO=4&transport=websocket',
  opening: [{ frame: '0{' }],
  heartbeat: PING,
  encode: (text) => `4${text}`,
  head: '4',
  tail: '',
  quote: plain,
};
