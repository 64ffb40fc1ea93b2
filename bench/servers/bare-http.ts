/**
 * `node:http` behind the URLs of SockJS. It returns each body unchanged within a frame, by a poll or on a stream.
 * It has no sessions, no JSON and no checks.
 */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type Broadcast, serveMeasured } from './measured.ts';

const TYPE = { 'Content-Type': 'application/javascript; charset=UTF-8' };
const PRELUDE = `${'h'.repeat(2048)}\n`;

const streams = new Map<string, ServerResponse>();
/** Bodies for the next poll, by path. Empty if there is none. */
const bodies = new Map<string, string>();
let polls: ServerResponse[] = [];
let tryBroadcast: (() => void) | undefined;

function end(response: ServerResponse, body: string): void {
  response.writeHead(200, { ...TYPE, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function poll(path: string, response: ServerResponse): void {
  const body = bodies.get(path);
  if (body === '') {
    polls.push(response);
    tryBroadcast?.();
    return;
  }
  bodies.set(path, '');
  end(response, body === undefined ? 'o\n' : `a${body}\n`);
}

function stream(path: string, response: ServerResponse): void {
  streams.set(path, response);
  response.writeHead(200, TYPE);
  response.write(PRELUDE);
  response.write('o\n');
}

function send(path: string, request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    const receiver = streams.get(path);
    if (receiver === undefined) bodies.set(path, body);
    else receiver.write(`a${body}\n`);
    response.writeHead(204);
    response.end();
  });
}

const server = createServer((request, response) => {
  const url = request.url ?? '';
  const slash = url.lastIndexOf('/');
  const path = url.slice(0, slash);
  const name = url.slice(slash + 1);
  if (name === 'xhr_send') send(path, request, response);
  else if (name === 'xhr') poll(path, response);
  else stream(path, response);
});

const broadcast: Broadcast = (text, receivers) => {
  const frame = `a["${text}"]\n`;
  if (streams.size > 0) {
    for (const response of streams.values()) response.write(frame);
    return;
  }
  // It has no queues, so the broadcast waits until all clients have polled.
  tryBroadcast = () => {
    if (polls.length < receivers) return;
    tryBroadcast = undefined;
    const pending = polls;
    polls = [];
    for (const response of pending) end(response, frame);
  };
  tryBroadcast();
};
serveMeasured(server, broadcast);
