/** The HTTP transports on the client's side, as data. */
import type { TransportName } from '../../base/transport-name.ts';

export type HttpTransportName = Exclude<TransportName, 'websocket' | 'rawwebsocket'>;

export interface ClientTransport {
  readonly method: 'GET' | 'POST';
  /** Parameter with the name of the function that a response calls. */
  readonly query: string;
  /** Last part of the URL of sending requests. */
  readonly sender: string;
  /** Returns the texts of the frames in a chunk of a response. */
  decode(chunk: string): string[];
}

const CALLBACK = 'callback';
/** The text before the first frame of `xhr_streaming`. */
const PRELUDE = /^h{2,}$/;

function decodeLines(chunk: string): string[] {
  return chunk.split('\n').filter((line) => line !== '' && !PRELUDE.test(line));
}

function decodeEach(pattern: RegExp, decode: (text: string) => string) {
  return (chunk: string) => Array.from(chunk.matchAll(pattern), ([, text = '']) => decode(text));
}

function parseString(json: string): string {
  return String(JSON.parse(json));
}

const XHR: ClientTransport = { method: 'POST', query: '', sender: 'xhr_send', decode: decodeLines };

export const CLIENT_TRANSPORTS: Readonly<Record<HttpTransportName, ClientTransport>> = {
  xhr: XHR,
  xhr_streaming: XHR,
  eventsource: {
    method: 'GET',
    query: '',
    sender: 'xhr_send',
    decode: decodeEach(/^data: ([^\r\n]*)/gm, decodeURI),
  },
  htmlfile: {
    method: 'GET',
    query: `c=${CALLBACK}`,
    sender: 'xhr_send',
    decode: decodeEach(/<script>\np\(([^<]*)\);\n<\/script>/g, parseString),
  },
  jsonp: {
    method: 'GET',
    query: `c=${CALLBACK}`,
    sender: 'jsonp_send',
    decode: decodeEach(/^\/\*\*\/callback\((.*)\);\r\n$/gs, parseString),
  },
};
