/**
 * WebSockets: with SockJS frames, one to a message, or raw. A WebSocket carries its session from
 * beginning to end, and both end together.
 */
import type { WebSocketListener, WebSocketPort } from '../http/exchange.ts';
import { PLAIN_TEXT } from '../http/headers.ts';
import type { Frame } from '../protocol/frame.ts';
import { decodeWebSocketMessage } from '../protocol/message.ts';
import type { SessionEnd } from '../protocol/session.ts';
import type { Endpoint, Hit } from '../service.ts';
import type { LiveSession, Receiver } from '../sessions/live-session.ts';
import { remembering } from './transport.ts';

const BROKEN: SessionEnd = { code: 1007, reason: 'Broken JSON encoding.' };
const TEXT_ONLY: SessionEnd = { code: 1003, reason: 'Only text is accepted here' };

abstract class WebSocketReceiver implements Receiver, WebSocketListener {
  readonly full = false;
  protected readonly socket: WebSocketPort;
  protected readonly session: LiveSession;
  protected ending: SessionEnd = { code: 1000, reason: '' };

  constructor(socket: WebSocketPort, session: LiveSession) {
    this.socket = socket;
    this.session = session;
  }

  abstract write(frame: Frame): void;
  abstract text(text: string): void;
  abstract binary(data: Uint8Array): void;

  get bufferedBytes(): number {
    return this.socket.bufferedBytes;
  }

  get writable(): boolean {
    return this.socket.writable;
  }

  end(): void {
    this.socket.close(this.ending.code, this.ending.reason);
  }

  abort(): void {
    this.socket.abort();
  }

  drained(): void {
    this.session.drained();
  }

  closed(code: number, reason: string): void {
    this.session.interrupted(this, { code, reason });
  }

  /** What the client sent cannot be understood: nothing that follows it can be, either. */
  protected refuse(end: SessionEnd): void {
    this.ending = end;
    this.end();
    this.session.interrupted(this, end);
  }
}

const encode = remembering((text) => text);

class FramedReceiver extends WebSocketReceiver {
  write(frame: Frame): void {
    if (frame.type === 'close') this.ending = frame;
    this.socket.sendText(encode(frame));
  }

  text(text: string): void {
    const messages = decodeWebSocketMessage(text);
    if (messages === undefined) this.refuse(BROKEN);
    else this.session.receive(messages);
  }

  binary(): void {
    this.refuse(TEXT_ONLY);
  }
}

class RawReceiver extends WebSocketReceiver {
  write(frame: Frame): void {
    switch (frame.type) {
      case 'open':
        break;
      case 'heartbeat':
        this.socket.ping();
        break;
      case 'messages':
        for (const { data } of frame.messages) {
          if (typeof data === 'string') this.socket.sendText(data);
          else this.socket.sendBinary(data);
        }
        break;
      case 'close':
        this.ending = frame;
        break;
    }
  }

  text(text: string): void {
    this.session.receive([text]);
  }

  binary(data: Uint8Array): void {
    this.session.receive([data]);
  }
}

async function holdBack(socket: WebSocketPort, session: LiveSession): Promise<void> {
  socket.pause();
  await session.opened();
  socket.resume();
}

/** Tells an operator why WebSockets do not work, where the request shows it. */
function warnOfLostUpgrade({ exchange, service }: Hit): void {
  if (exchange.header('sec-websocket-key') === undefined) return;
  const upgrade = exchange.header('upgrade')?.toLowerCase() ?? '';
  if (upgrade !== '' && upgrade !== 'websocket') return;
  const connection = exchange.header('connection')?.toLowerCase() ?? '';
  if (upgrade !== '' && connection.includes('upgrade')) {
    service.warnOnce(
      'upgrade unseen',
      'a WebSocket request came as an ordinary one. Middleware does not see upgrades: call attach(server).',
    );
  } else {
    service.warnOnce(
      'upgrade lost',
      'a WebSocket request came without its Upgrade and Connection headers: a proxy on the way dropped them. ' +
        'It must pass both on; the README has configurations for HAProxy, nginx and Caddy.',
    );
  }
}

function upgrading(
  transport: 'websocket' | 'rawwebsocket',
  Receiving: new (socket: WebSocketPort, session: LiveSession) => WebSocketReceiver,
): Endpoint {
  return (hit) => {
    const { exchange, service, headers } = hit;
    if (exchange.upgrade === undefined) {
      warnOfLostUpgrade(hit);
      exchange.answer(400, [...headers, 'Content-Type', PLAIN_TEXT], exchange.upgradeFault);
      return;
    }
    if (service.sessions.isDraining) {
      exchange.answer(
        503,
        [...headers, 'Content-Type', PLAIN_TEXT, 'Retry-After', '1'],
        'Shutting down.',
      );
      return;
    }
    exchange.upgrade((socket) => {
      const session = service.openWebSocketSession(hit, transport);
      const receiver = new Receiving(socket, session);
      session.attach(receiver);
      if (session.isOpening) void holdBack(socket, session);
      return receiver;
    });
  };
}

export const WEBSOCKET: Endpoint = upgrading('websocket', FramedReceiver);
export const RAW_WEBSOCKET: Endpoint = upgrading('rawwebsocket', RawReceiver);
