/** A connection between two nodes. The node that has opened it sends requests, the other one responds. */
import type { Duplex } from 'node:stream';
import { Ticker } from '../base/ticker.ts';
import {
  FRAME_TYPES,
  FrameParser,
  type RelayFrame,
  encodeControl,
  readCredit,
  splitHead,
} from './frames.ts';
import { RelayStream, type StreamListener, type StreamLink } from './relay-stream.ts';

/** Limit for the streams of a link. */
export const MAX_STREAMS = 100_000;

/** Unsent bytes of a link above which no more bodies are sent. */
const MAX_UNSENT_BYTES = 1024 * 1024;

/** Unsent bytes of a link above which it opens no stream. Heads of requests are sent at once, whatever becomes of them. */
const MAX_UNSENT_HEAD_BYTES = 64 * 1024 * 1024;

/** Interval at which the silence of the other end is counted, in milliseconds. */
const CHECK_INTERVAL_MS = 500;

/** Silence of the other end after which it gets a ping, in milliseconds. */
const PING_AFTER_MS = 5000;

/** Silence of the other end after which the link ends, in milliseconds. More than a process may be stopped. */
const MAX_SILENCE_MS = 15_000;

/** Time for the last bytes of a link that closes, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000;

const MAX_ID = 0xffff_ffff;

export interface LinkEvents {
  /** Called with a request of the other node. A listener of the stream gets the rest of a body that is not complete. */
  onRequest(stream: RelayStream, head: string, body: Buffer, isLast: boolean): void;
  /** Called when the link has ended, before its streams are aborted. */
  onEnd(error: Error): void;
}

/** Streams over one connection. All frames that are written in one turn of the event loop are sent together. */
export class RelayLink implements StreamLink {
  readonly #socket: Duplex;
  readonly #events: LinkEvents;
  readonly #maxStreams: number;
  readonly #streams = new Map<number, RelayStream>();
  /** Streams with bytes to send, while the link is full. */
  readonly #blocked = new Set<RelayStream>();
  readonly #parser = new FrameParser((frame) => this.#onFrame(frame));
  readonly #ticker = new Ticker(CHECK_INTERVAL_MS, (counted) => this.#addSilence(counted));
  readonly #probes = new Set<(responds: boolean) => void>();
  #isCorked = false;
  #hasEnded = false;
  #silence = 0;
  #lastId = 0;

  constructor(socket: Duplex, events: LinkEvents, maxStreams: number = MAX_STREAMS) {
    this.#socket = socket;
    this.#events = events;
    this.#maxStreams = maxStreams;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('error', (error) => this.#end(error));
    socket.on('end', () => this.destroy());
    socket.on('close', () => this.#end(new Error('the connection has ended')));
    this.#ticker.start();
  }

  /** Number of streams. */
  get size(): number {
    return this.#streams.size;
  }

  get isFull(): boolean {
    return this.#socket.writableLength >= MAX_UNSENT_BYTES;
  }

  /** Opens a stream. Returns undefined if there are too many streams or unsent bytes. */
  open(listener: StreamListener): RelayStream | undefined {
    if (this.#streams.size >= this.#maxStreams) return undefined;
    if (this.#socket.writableLength >= MAX_UNSENT_HEAD_BYTES) return undefined;
    do this.#lastId = this.#lastId === MAX_ID ? 1 : this.#lastId + 1;
    while (this.#streams.has(this.#lastId));
    const stream = this.#add(this.#lastId);
    stream.listener = listener;
    return stream;
  }

  /** Calls back with `true` when the other end sends something, or with `false` when the link ends. */
  probe(callback: (responds: boolean) => void): void {
    if (this.#hasEnded) return callback(false);
    this.#probes.add(callback);
    return this.write(encodeControl(FRAME_TYPES.ping, 0));
  }

  write(frame: Buffer): void {
    // A write after the end would destroy the socket, and with it the last bytes.
    if (this.#hasEnded || this.#socket.writableEnded) return;
    if (!this.#isCorked) this.#cork();
    this.#socket.write(frame);
  }

  awaitDrain(stream: RelayStream): void {
    this.#blocked.add(stream);
  }

  remove(stream: RelayStream): void {
    this.#streams.delete(stream.id);
    this.#blocked.delete(stream);
  }

  /** Ends the link after the written frames are sent. */
  close(): void {
    if (this.#hasEnded) return;
    this.#flush();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    timer.unref();
    this.#socket.once('finish', () => this.#socket.destroy());
    this.#socket.once('close', () => clearTimeout(timer));
  }

  /** Ends the link at once. */
  destroy(error?: Error): void {
    this.#end(error ?? new Error('the connection has ended'));
    this.#socket.destroy();
  }

  #cork(): void {
    this.#isCorked = true;
    this.#socket.cork();
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#socket.uncork();
  }

  #add(id: number): RelayStream {
    const stream = new RelayStream(id, this);
    this.#streams.set(id, stream);
    return stream;
  }

  #onData(chunk: Buffer): void {
    if (this.#hasEnded) return;
    this.#silence = 0;
    for (const callback of this.#probes) callback(true);
    this.#probes.clear();
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.destroy(new Error('the other node has sent something unexpected', { cause: error }));
    }
  }

  #onFrame({ type, stream: id, isLast, payload }: RelayFrame): void {
    if (type === FRAME_TYPES.request) return this.#onRequest(id, payload, isLast);
    if (type === FRAME_TYPES.ping) return this.#onPing();
    // Frames for a stream that this end has closed may be on their way.
    const stream = this.#streams.get(id);
    if (stream === undefined) return undefined;
    if (type === FRAME_TYPES.credit) return stream.addCredit(readCredit(payload));
    if (type === FRAME_TYPES.data) {
      stream.receive(payload.length);
      return stream.listener?.onData(payload, isLast);
    }
    if (type === FRAME_TYPES.response) {
      const { head, body } = splitHead(payload);
      stream.receive(body.length);
      return stream.listener?.onResponse(head, body, isLast);
    }
    if (type === FRAME_TYPES.delivered) return stream.listener?.onDelivered();
    stream.close();
    if (type === FRAME_TYPES.unknown) return stream.listener?.onUnknown();
    return stream.listener?.onAbort();
  }

  #onRequest(id: number, payload: Buffer, isLast: boolean): void {
    if (this.#streams.has(id)) throw new Error('two requests in one stream');
    if (this.#streams.size >= this.#maxStreams) throw new Error('too many streams');
    const { head, body } = splitHead(payload);
    const stream = this.#add(id);
    stream.receive(body.length);
    this.#events.onRequest(stream, head, body, isLast);
  }

  /** A link that is full shows by its bytes that this end is there. */
  #onPing(): void {
    if (!this.isFull) this.write(encodeControl(FRAME_TYPES.pong, 0));
  }

  #onDrain(): void {
    const blocked = [...this.#blocked];
    this.#blocked.clear();
    for (const stream of blocked) stream.flush();
  }

  #addSilence(counted: number): void {
    const before = this.#silence;
    this.#silence += counted;
    if (this.#silence >= MAX_SILENCE_MS)
      this.destroy(new Error(`no bytes within ${MAX_SILENCE_MS} ms`));
    else if (before < PING_AFTER_MS && this.#silence >= PING_AFTER_MS)
      this.write(encodeControl(FRAME_TYPES.ping, 0));
  }

  #end(error: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#ticker.stop();
    for (const callback of this.#probes) callback(false);
    this.#probes.clear();
    this.#events.onEnd(error);
    for (const stream of this.#streams.values()) {
      stream.close();
      stream.listener?.onAbort();
    }
  }
}
