/**
 * One session on the server, and its generation: after its end, nothing that arrives late has an effect. All frames
 * arrive here, and all URLs and requests of a session are made here.
 */
import { MAX_FRAME_LENGTH } from './constants.ts';
import { parseClose, parseMessages } from './frame.ts';
import { ABNORMAL, type Loss, PROTOCOL_ERROR, TOO_BIG, httpLoss } from './loss.ts';
import type { RequestOptions } from './options.ts';

export interface SessionListener {
  onOpen(): void;
  /** Called for each frame. Only frames of messages have some. */
  onMessages(messages: readonly string[]): void;
  /** Called once, unless the session is aborted. */
  onLost(loss: Loss): void;
}

/** Builds the URL of a resource of a service. The query of the service is part of it. */
export function resourceUrl(service: string, path: string, token?: string): string {
  const url = new URL(service);
  url.pathname = url.pathname.replace(/\/*$/, `/${path}`);
  if (token) url.searchParams.append('token', token);
  return url.href;
}

export interface SessionInit {
  /** URL with the parts `<server>/<session>`. */
  readonly url: string;
  /** Sent with opening requests. */
  readonly token: string | undefined;
  readonly request: RequestOptions;
}

export class Session extends AbortController {
  readonly init: SessionInit;
  readonly #listener: SessionListener;
  isOpen = false;
  /** Number of frames that have arrived. */
  frames = 0;

  constructor(init: SessionInit, listener: SessionListener) {
    super();
    this.init = init;
    this.#listener = listener;
  }

  /** Returns the URL of a request. Requests before the open frame are the opening ones. */
  url(leaf: string): string {
    return resourceUrl(this.init.url, leaf, this.isOpen ? undefined : this.init.token);
  }

  /** Sends a request. A response without success ends the session. @returns undefined in that case */
  async post(leaf: string, body: string | null = null): Promise<Response | undefined> {
    const request = { ...this.init.request, method: 'POST', signal: this.signal, body };
    try {
      const response = await fetch(this.url(leaf), request);
      if (response.ok) return response;
      const { status } = response;
      this.end({
        ...httpLoss(status),
        // A server that no longer knows the session may open a new one, so 401, 403 and 404 are not final then.
        ...(this.isOpen && status < 405 && { status: undefined }),
        isUnsent: body !== null && status < 500,
      });
    } catch {
      this.fail();
    }
    return undefined;
  }

  /**
   * Receives a frame. A malformed one ends the session. What follows `o` and frames of other types are ignored, since a
   * later version may send them.
   * @param decode removes the encoding of the transport
   */
  receive(text: string, decode: (text: string) => string = String): void {
    if (this.signal.aborted) return;
    if (text.length > MAX_FRAME_LENGTH) this.fail(TOO_BIG, 'Frame too big');
    // The prelude of streaming responses is no frame.
    if (text.startsWith('hh')) return;
    this.frames += 1;
    let messages: readonly string[] = [];
    try {
      const frame = decode(text);
      if (frame.startsWith('o')) this.#open();
      else if (frame.startsWith('c')) this.end({ ...parseClose(frame), wasClean: true });
      else if (frame.startsWith('a')) messages = parseMessages(frame);
    } catch {
      this.fail(PROTOCOL_ERROR, 'Malformed frame');
    }
    if (!this.signal.aborted) this.#listener.onMessages(messages);
  }

  #open(): void {
    if (this.isOpen) {
      // The open frame of a new session: the server has lost this one.
      this.fail();
    } else {
      this.isOpen = true;
      this.#listener.onOpen();
    }
  }

  /** Ends the session because of a fault. */
  fail(code = ABNORMAL, reason = 'Connection lost'): void {
    this.end({ code, reason });
  }

  /** Ends the session, and reports it. */
  end(loss: Loss): void {
    if (this.signal.aborted) return;
    this.abort(loss);
    this.#listener.onLost(loss);
  }
}
