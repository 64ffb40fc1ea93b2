/** One request and its response on a link. */
import { type Payload, payloadLength } from '../base/payload.ts';
import {
  FRAME_TYPES,
  WINDOW_BYTES,
  encodeControl,
  encodeCredit,
  encodeData,
  encodeHead,
} from './frames.ts';

/** Receives what the other end of a stream sends. After `onAbort`, or after the last bytes, nothing follows. */
export interface StreamListener {
  /**
   * Called with the head of a response and the first bytes of its body.
   * @param isLast true if these are all bytes
   */
  onResponse(head: string, body: Buffer, isLast: boolean): void;
  /** Called if the other node has no such session. */
  onUnknown(): void;
  /** Called with more bytes of a body. They are a view, and count as unread until they are passed to `consume`. */
  onData(bytes: Buffer, isLast: boolean): void;
  /** Called when all written bytes are sent that could not be sent at once. */
  onSent(): void;
  /** Called when the client has the whole response. */
  onDelivered(): void;
  /** Called when the other end has aborted the stream, or the link has ended. */
  onAbort(): void;
}

/** The link as its streams see it. */
export interface StreamLink {
  /** True while the link has so many unsent bytes that no more bodies are sent. */
  readonly isFull: boolean;
  write(frame: Buffer): void;
  /** Calls `flush` of a stream when the link is no longer full. */
  awaitDrain(stream: RelayStream): void;
  /** Called when a stream has ended. */
  remove(stream: RelayStream): void;
}

/** Bytes after which the other end gets a credit. */
const CREDIT_BYTES = WINDOW_BYTES / 2;

function toPieces(payload: Payload): readonly Buffer[] {
  return typeof payload === 'string' ? [Buffer.from(payload)] : payload;
}

/** Sends the bytes of a body as far as the other end takes them, so that a slow client delays only its own stream. */
export class RelayStream {
  readonly id: number;
  listener: StreamListener | undefined;
  /** Bytes of the body that are sent. */
  sentBytes = 0;
  /** Bytes of the body that are written, but not sent. */
  queuedBytes = 0;
  isClosed = false;
  readonly #link: StreamLink;
  /** Bytes that the other end takes. */
  #window = WINDOW_BYTES;
  #queue: Buffer[] | undefined;
  /** True once the last bytes are written. */
  #isEnding = false;
  /** Bytes received that are not consumed. */
  #unread = 0;
  /** Bytes consumed since the last credit. */
  #consumed = 0;

  constructor(id: number, link: StreamLink) {
    this.id = id;
    this.#link = link;
  }

  /** Returns whether a body of this length is sent together with its head. */
  takesAtOnce(length: number): boolean {
    return length === 0 || (length <= this.#window && !this.#link.isFull);
  }

  /** Sends the request and its whole body. */
  request(head: string, body: Payload): void {
    this.#begin(FRAME_TYPES.request, head, body, true);
  }

  /** @param isLast true if this is the whole response */
  respond(head: string, body: Payload, isLast: boolean): void {
    if (!this.isClosed) this.#begin(FRAME_TYPES.response, head, body, isLast);
  }

  /** Responds that this node has no such session. */
  refuse(): void {
    if (this.isClosed) return;
    this.#link.write(encodeControl(FRAME_TYPES.unknown, this.id));
    this.close();
  }

  /** Sends more of the body of a response. */
  write(payload: Payload): void {
    if (this.isClosed) return;
    const length = payloadLength(payload);
    if (this.queuedBytes === 0 && this.takesAtOnce(length)) {
      this.#count(length);
      this.#link.write(encodeData(this.id, payload, false));
    } else {
      this.#enqueue(payload, length);
    }
  }

  /** Ends the response after all its bytes are sent. */
  end(): void {
    if (this.isClosed) return;
    this.#isEnding = true;
    if (this.queuedBytes === 0) this.#link.write(encodeData(this.id, '', true));
  }

  /** Confirms that the client has the whole response, and forgets the stream. */
  confirm(): void {
    if (this.isClosed) return;
    this.#link.write(encodeControl(FRAME_TYPES.delivered, this.id));
    this.close();
  }

  /** Ends the stream at once at both ends. The listener is not called. */
  abort(): void {
    if (this.isClosed) return;
    this.#link.write(encodeControl(FRAME_TYPES.abort, this.id));
    this.close();
  }

  /** Lets the other end send as many bytes as were received. */
  consume(bytes: number): void {
    this.#unread -= bytes;
    this.#consumed += bytes;
    if (this.#consumed < CREDIT_BYTES || this.isClosed) return;
    this.#link.write(encodeCredit(this.id, this.#consumed));
    this.#consumed = 0;
  }

  /** Counts received bytes. Throws an error if the other end may not send them. */
  receive(bytes: number): void {
    this.#unread += bytes;
    if (this.#unread + this.#consumed > WINDOW_BYTES) throw new Error('more bytes than its credit');
  }

  /** Takes a credit of the other end. Throws an error if it is more than this end has sent. */
  addCredit(bytes: number): void {
    this.#window += bytes;
    if (this.#window > WINDOW_BYTES) throw new Error('more credit than bytes');
    if (this.queuedBytes > 0) this.flush();
  }

  /** Sends queued bytes as far as the other end and the link take them. */
  flush(): void {
    this.#sendQueued();
    if (this.queuedBytes === 0 && !this.isClosed) this.listener?.onSent();
  }

  /** Forgets the stream. */
  close(): void {
    this.isClosed = true;
    this.#queue = undefined;
    this.queuedBytes = 0;
    this.#link.remove(this);
  }

  #begin(
    type: typeof FRAME_TYPES.request | typeof FRAME_TYPES.response,
    head: string,
    body: Payload,
    isLast: boolean,
  ): void {
    this.#isEnding = isLast;
    const length = payloadLength(body);
    if (this.takesAtOnce(length)) {
      this.#count(length);
      this.#link.write(encodeHead(type, this.id, head, body, isLast));
    } else {
      this.#link.write(encodeHead(type, this.id, head, '', false));
      this.#enqueue(body, length);
    }
  }

  #enqueue(payload: Payload, length: number): void {
    this.#queue ??= [];
    this.#queue.push(...toPieces(payload));
    this.queuedBytes += length;
    this.#sendQueued();
  }

  #sendQueued(): void {
    while (this.queuedBytes > 0 && this.#window > 0) {
      if (this.#link.isFull) return this.#link.awaitDrain(this);
      this.#sendNext();
    }
    return undefined;
  }

  #sendNext(): void {
    const first = this.#queue?.shift() ?? Buffer.alloc(0);
    const piece = first.subarray(0, this.#window);
    if (piece.length < first.length) this.#queue?.unshift(first.subarray(piece.length));
    this.queuedBytes -= piece.length;
    this.#count(piece.length);
    const isLast = this.#isEnding && this.queuedBytes === 0;
    this.#link.write(encodeData(this.id, [piece], isLast));
  }

  #count(bytes: number): void {
    this.#window -= bytes;
    this.sentBytes += bytes;
  }
}
