/** How clients of each kind of WebSocket server speak. */
import type { Framing } from './inbox.ts';

export interface Dialect extends Framing {
  readonly path: string;
  /** What the server says before messages flow, by its beginning, and what the client answers. */
  readonly opening: readonly Exchange[];
  /** How the server asks whether the client is there, besides a ping. */
  readonly heartbeat?: Exchange;
  /** What a client sends for one message. */
  readonly wrap: (text: string) => string;
}

/** One step of a conversation besides messages. */
export interface Exchange {
  readonly says: string;
  readonly answer?: string;
}

function plain(text: string): string {
  return text;
}

const quote: (text: string) => string = JSON.stringify;

export const SOCKJS_FRAMING: Framing = { head: 'a[', tail: ']', quote };

export const BARE: Dialect = {
  path: '/',
  opening: [{ says: 'o' }],
  wrap: plain,
  head: '',
  tail: '',
  quote: plain,
};

export const SOCKJS: Dialect = {
  ...SOCKJS_FRAMING,
  path: '/echo/000/benchmark/websocket',
  opening: [{ says: 'o' }],
  heartbeat: { says: 'h' },
  wrap: (text) => `[${quote(text)}]`,
};

const PING = { says: '2', answer: '3' };

export const SOCKET_IO: Dialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  opening: [{ says: '0{', answer: '40' }, { says: '40{' }],
  heartbeat: PING,
  wrap: (text) => `42["message",${quote(text)}]`,
  head: '42["message",',
  tail: ']',
  quote,
};

export const ENGINE_IO: Dialect = {
  path: '/engine.io/?EIO=4&transport=websocket',
  opening: [{ says: '0{' }],
  heartbeat: PING,
  wrap: (text) => `4${text}`,
  head: '4',
  tail: '',
  quote: plain,
};
