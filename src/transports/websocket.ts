/**
 * The transports `websocket`, with one SockJS frame in each message, and `rawwebsocket`, without frames. A session on a
 * WebSocket ends together with it.
 */
import { type CloseStatus, CLOSE_REASONS } from '../base/close-reasons.ts';
import { memoizeEncoding } from '../base/memoize.ts';
import type { Payload } from '../base/payload.ts';
import { REFUSALS, Refusal } from '../base/refusal.ts';
import { type Admission, admitSession, enforceSession } from '../http/admission.ts';
import type { WebSocketUpgrade } from '../http/exchange.ts';
import type { Handler, RequestContext } from '../http/request-context.ts';
import type {
  WebSocketConnection,
  WebSocketFault,
  WebSocketListener,
} from '../http/websocket-connection.ts';
import type { Frame } from '../protocol/frame.ts';
import { type Message, decodeWebSocketMessage } from '../protocol/message.ts';
import type { Receiver } from '../sessions/receiver.ts';
import type { Session } from '../sessions/session.ts';
import { PLAIN } from './transport.ts';

abstract class WebSocketReceiver implements Receiver, WebSocketListener {
  readonly full = false;
  readonly renewable = false;
  protected readonly socket: WebSocketConnection;
  protected readonly session: Session;
  /** Code and reason for the close frame of the WebSocket. */
  protected closeStatus: CloseStatus = { code: 1000, reason: '' };
  #isPaused = false;

  constructor(socket: WebSocketConnection, session: Session) {
    this.socket = socket;
    this.session = session;
  }

  abstract write(frame: Frame): void;
  abstract onText(text: string, byteLength: number): void;
  abstract onBinary(data: Uint8Array): void;

  get source(): WebSocketConnection {
    return this.socket;
  }

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
    this.socket.close(this.closeStatus.code, this.closeStatus.reason);
  }

  abort(): void {
    this.socket.abort();
  }

  onDrain(): void {
    this.session.onDrain();
  }

  onFrames(count: number): void {
    this.session.receiveFrames(count);
    this.pauseWhileDelayed();
  }

  onClosing(): void {
    this.session.onClosing();
  }

  /** Keeps the session until the socket has closed, so that its deadline aborts a client that does not close. */
  onFault(fault: WebSocketFault): void {
    this.session.close(CLOSE_REASONS[fault]);
  }

  onClosed(code: number, reason: string): void {
    this.session.onClosed(this, { code, reason, cause: 'client' });
  }

  onWriteTimeout(): void {
    this.session.onWriteTimeout(this);
  }

  protected receive(messages: readonly (string | Uint8Array)[], byteLength: number): void {
    this.session.receive(this, messages, byteLength);
    this.pauseWhileDelayed();
  }

  /** Stops reading while `onOpen` is pending or the client is over its rate limit. */
  pauseWhileDelayed(): void {
    if (this.session.inputDelay !== undefined && !this.#isPaused) void this.#pauseUntilAllowed();
  }

  async #pauseUntilAllowed(): Promise<void> {
    this.#isPaused = true;
    this.socket.pause();
    await this.session.inputAllowed();
    this.#isPaused = false;
    this.socket.resume();
  }
}

class SockJSReceiver extends WebSocketReceiver {
  write(frame: Frame): void {
    if (frame.type === 'close') this.closeStatus = frame;
    // The page receives `h`, but only a ping makes the browser respond.
    if (frame.type === 'heartbeat') this.socket.ping(frame.text);
    else this.socket.sendText(frame.isLong ? [PLAIN.encodeLong(frame)] : frame.text);
  }

  onText(text: string, byteLength: number): void {
    const messages = decodeWebSocketMessage(text);
    if (messages === undefined) this.socket.fail('invalidJson');
    else this.receive(messages, byteLength);
  }

  onBinary(): void {
    this.socket.fail('textOnly');
  }
}

const encodeRaw = memoizeEncoding(({ data, isLong }: Message): Payload => {
  if (typeof data !== 'string') return [Buffer.from(data)];
  return isLong ? [Buffer.from(data)] : data;
});

class RawReceiver extends WebSocketReceiver {
  write(frame: Frame): void {
    switch (frame.type) {
      case 'open':
        break;
      case 'heartbeat':
        this.socket.ping();
        break;
      case 'messages':
        this.#sendMessages(frame.messages);
        break;
      case 'close':
        this.closeStatus = frame;
        break;
    }
  }

  #sendMessages(messages: readonly Message[]): void {
    this.socket.cork();
    for (const message of messages) {
      const { data } = message;
      if (typeof data === 'string') this.socket.sendText(encodeRaw(message));
      else this.socket.sendBinary(data);
    }
    this.socket.uncork();
  }

  onText(text: string, byteLength: number): void {
    this.receive([text], byteLength);
  }

  onBinary(data: Uint8Array): void {
    this.receive([data], data.length);
  }
}

const NOT_CONNECTED = new Refusal(400, '"Connection" must be "Upgrade".');

/** Refuses a request without an upgrade, and logs the cause if the request shows it. */
function refusePlainRequest(context: RequestContext): void {
  const { exchange, state } = context;
  const upgrade = exchange.header('upgrade')?.toLowerCase() ?? '';
  const connection = exchange.header('connection')?.toLowerCase() ?? '';
  const isHandshake = exchange.header('sec-websocket-key') !== undefined;
  if (isHandshake && upgrade === 'websocket' && connection.includes('upgrade')) {
    state.warnings.warn('upgradeByMiddleware');
  } else if (isHandshake && (upgrade === '' || upgrade === 'websocket')) {
    state.warnings.warn('upgradeLost');
  }
  const refusal = upgrade === 'websocket' ? NOT_CONNECTED : REFUSALS.invalidUpgrade;
  context.refuse('invalidUpgrade', refusal);
}

type ReceiverClass = new (socket: WebSocketConnection, session: Session) => WebSocketReceiver;

function serve(transport: 'websocket' | 'rawwebsocket', Receiver: ReceiverClass): Handler {
  const open = (context: RequestContext, upgrade: WebSocketUpgrade, admission: Admission): void => {
    if (!enforceSession(context, admission) || context.exchange.isDisconnected) return;
    const session = context.openSession(transport, admission.user);
    if (session === undefined) return;
    const socket = upgrade.accept(context.memory);
    const receiver = new Receiver(socket, session);
    socket.listen(receiver);
    session.attach(receiver, context.exchange);
    receiver.pauseWhileDelayed();
  };
  return (context) => {
    const { upgrade } = context.exchange;
    if (upgrade.type === 'none') return refusePlainRequest(context);
    if (upgrade.type === 'refused') return context.refuse('invalidUpgrade', upgrade.refusal);
    const admission = admitSession(context, transport);
    if (!(admission instanceof Promise)) return open(context, upgrade, admission);
    return admission.then((settled) => open(context, upgrade, settled));
  };
}

export const websocket: Handler = serve('websocket', SockJSReceiver);
export const rawWebSocket: Handler = serve('rawwebsocket', RawReceiver);
