/**
 * WebSockets: with SockJS frames, one to a message, or raw. A WebSocket carries its session from
 * beginning to end, and both end together.
 */
import type { WebSocketFault, WebSocketListener, WebSocketPort } from '../http/exchange.ts';
import type { Frame } from '../protocol/frame.ts';
import { decodeWebSocketMessage } from '../protocol/message.ts';
import { type CloseStatus, CLOSE_REASONS } from '../base/close-reasons.ts';
import { REFUSALS, Refusal } from '../base/refusal.ts';
import type { Endpoint, Hit } from '../http/request-context.ts';
import type { Session } from '../sessions/session.ts';
import type { Receiver } from '../sessions/receiver.ts';
import { admit } from '../http/admission.ts';
import { memoizeEncoded } from './transport.ts';

abstract class WebSocketReceiver implements Receiver, WebSocketListener {
  readonly renewable = false;
  readonly full = false;
  protected readonly socket: WebSocketPort;
  protected readonly session: Session;
  #isHeldBack = false;
  protected ending: CloseStatus = { code: 1000, reason: '' };

  constructor(socket: WebSocketPort, session: Session) {
    this.socket = socket;
    this.session = session;
  }

  abstract write(frame: Frame): void;
  abstract text(text: string, bytes: number): void;
  abstract binary(data: Uint8Array): void;

  get bufferedBytes(): number {
    return this.socket.bufferedBytes;
  }

  get writable(): boolean {
    return this.socket.writable;
  }

  get bytesReceived(): number | undefined {
    return this.socket.bytesReceived;
  }

  end(): void {
    this.socket.close(this.ending.code, this.ending.reason);
  }

  /** The socket does so by itself. */
  watchProgress(): void {}

  abort(): void {
    this.socket.abort();
  }

  drained(): void {
    this.session.onDrain();
  }

  /** The session is there until the socket has closed, so that somebody sees to that. */
  refused(fault: WebSocketFault): void {
    this.session.close(CLOSE_REASONS[fault]);
  }

  closed(code: number, reason: string): void {
    this.session.onClosed(this, { code, reason, cause: 'client' });
  }

  stalled(): void {
    this.session.onWriteTimeout(this);
  }

  /** What the client sent has reached the application, or waits for it; it may have been too much. */
  protected receive(messages: readonly (string | Uint8Array)[], bytes: number): void {
    this.session.receive(this, messages, bytes);
    if (this.session.inputDelay !== undefined) void this.holdBack();
  }

  /** Reads nothing further until the session is ready for it. */
  async holdBack(): Promise<void> {
    if (this.#isHeldBack) return;
    this.#isHeldBack = true;
    this.socket.pause();
    await this.session.inputAllowed();
    this.#isHeldBack = false;
    this.socket.resume();
  }
}

const encode = memoizeEncoded((text) => text);

class FramedReceiver extends WebSocketReceiver {
  write(frame: Frame): void {
    if (frame.type === 'close') this.ending = frame;
    // Scripts see `h`, but only a ping has to be answered.
    if (frame.type === 'heartbeat') this.socket.ping(frame.text);
    else this.socket.sendText(encode(frame));
  }

  text(text: string, bytes: number): void {
    const messages = decodeWebSocketMessage(text);
    if (messages === undefined) this.socket.refuse('invalidJson');
    else this.receive(messages, bytes);
  }

  binary(): void {
    this.socket.refuse('textOnly');
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

  text(text: string, bytes: number): void {
    this.receive([text], bytes);
  }

  binary(data: Uint8Array): void {
    this.receive([data], data.length);
  }
}

const NOT_CONNECTED = new Refusal(400, '"Connection" must be "Upgrade".');

/** The host saw no request for a WebSocket. An operator is told why, where the request shows it. */
function refuseOrdinary(hit: Hit): void {
  const { exchange, service } = hit;
  const upgrade = exchange.header('upgrade')?.toLowerCase() ?? '';
  const connection = exchange.header('connection')?.toLowerCase() ?? '';
  const isWanted = exchange.header('sec-websocket-key') !== undefined;
  if (isWanted && upgrade === 'websocket' && connection.includes('upgrade')) {
    service.hint('upgradeUnseen');
  } else if (isWanted && (upgrade === '' || upgrade === 'websocket')) {
    service.hint('upgradeLost');
  }
  service.refuse(
    hit,
    'invalidUpgrade',
    upgrade === 'websocket' ? NOT_CONNECTED : REFUSALS.invalidUpgrade,
  );
}

function upgrading(
  transport: 'websocket' | 'rawwebsocket',
  Receiving: new (socket: WebSocketPort, session: Session) => WebSocketReceiver,
): Endpoint {
  return (hit) => {
    const { exchange, service } = hit;
    const { upgrade } = exchange;
    if (upgrade === undefined) return refuseOrdinary(hit);
    if (upgrade instanceof Refusal) return service.refuse(hit, 'invalidUpgrade', upgrade);
    return admit(hit, (user) => {
      upgrade((socket) => {
        const session = service.openWebSocketSession(hit, transport, user);
        const receiver = new Receiving(socket, session);
        session.attach(receiver);
        if (session.inputDelay !== undefined) void receiver.holdBack();
        return receiver;
      });
    });
  };
}

export const WEBSOCKET: Endpoint = upgrading('websocket', FramedReceiver);
export const RAW_WEBSOCKET: Endpoint = upgrading('rawwebsocket', RawReceiver);
