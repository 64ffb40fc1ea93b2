import type { ServerHttp2Stream } from 'node:http2';

/** Receives the end of a stream. */
export interface StreamListener {
  /** The response is sent, or its stream was reset. */
  onStreamFinish(): void;
  onStreamClose(): void;
}

declare module 'node:http2' {
  interface ServerHttp2Stream {
    [LISTENER]?: StreamListener | undefined;
  }
}

const LISTENER = Symbol('StreamListener');

/**
 * Sets the listener of a stream. A closed stream no longer refers to it, so that it can be freed early: Node keeps the
 * stream until the next collection of the old generation.
 */
export function listenToStream(stream: ServerHttp2Stream, listener: StreamListener): void {
  stream[LISTENER] = listener;
  stream.on('finish', onFinish);
  stream.on('close', onClose);
}

function onFinish(this: ServerHttp2Stream): void {
  this[LISTENER]?.onStreamFinish();
}

function onClose(this: ServerHttp2Stream): void {
  const listener = this[LISTENER];
  this[LISTENER] = undefined;
  listener?.onStreamClose();
}
