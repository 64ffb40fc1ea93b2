/** Requests whose responses are compared, and headers that several scenarios send. */
import type { Headers, RawRequest } from '../../testkit/raw-http.ts';
import { HandshakeError, RawWebSocket } from '../../testkit/raw-websocket.ts';
import type { LegacyOptions } from './legacy.ts';
import type { Json, Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

export const ORIGIN: Headers = [['Origin', 'http://page.example.com']];
export const PREFLIGHT: Headers = [
  ...ORIGIN,
  ['Access-Control-Request-Method', 'POST'],
  ['Access-Control-Request-Headers', 'content-type, x-a'],
];

/** Options of a server that logs nothing. */
export const QUIET: LegacyOptions = { log: () => {}, disconnect_delay: 2000 };

/** A request, as `GET /path`, and its headers. */
export type Row = readonly [request: string, headers?: Headers];

export function parseRequest([text, headers = []]: Row): RawRequest {
  const [method = '', path = ''] = text.split(' ');
  return { method, path, headers };
}

/** A scenario that sends each request to a server with some options, and compares the responses. */
export function responses(title: string, options: LegacyOptions, rows: readonly Row[]): Scenario {
  return {
    title,
    async run(stage) {
      const { port } = await stage.serve({ options });
      const result: Record<string, Json> = {};
      for (const row of rows) {
        const name = row[1] === undefined ? row[0] : `${row[0]} with ${row[1].join(', ')}`;
        result[name] = stage.describe(await stage.request({ port }, parseRequest(row)));
      }
      return result;
    },
  };
}

/** Returns the beginnings of the bodies of plain requests: `PATH: STATUS BODY`. Texts of errors are left out. */
export async function bodies(stage: Stage, port: number, paths: readonly string[]): Promise<Json> {
  const lines: string[] = [];
  for (const path of paths) {
    const { status, body } = await stage.request({ port }, { path });
    lines.push(`${path}: ${status} ${status < 400 ? body.trim().slice(0, 16) : ''}`);
  }
  return lines;
}

/** Opens a raw WebSocket. @returns `open`, or the refusal */
export async function openRaw(port: number, path: string): Promise<string> {
  try {
    const socket = await RawWebSocket.open(port, path);
    socket.abort();
    return 'open';
  } catch (error) {
    return error instanceof HandshakeError ? `refused ${error.status}` : String(error);
  }
}
