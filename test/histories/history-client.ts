/** A SockJS client over HTTP, of which each request may reach another node. It logs what it sends and receives. */
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  request as sendHttpRequest,
} from 'node:http';
import type { SeededRandom } from '../../testkit/random.ts';
import type { RawRequest } from '../../testkit/raw-http.ts';
import {
  HTTP_TRANSPORTS,
  type HttpTransport,
  XHR,
  openRequest,
  parseClose,
  parseMessages,
  sendRequest,
  splitFrames,
} from '../../testkit/transports.ts';
import type { DeliveryEvent } from '../faults/delivery-log.ts';
import { type ClusterLog, GROUP, groupPublisher, memberName } from './cluster-log.ts';

const MAX_CONNECT_ATTEMPTS = 5;
/** Of so many steps, one closes the session. */
const STEPS_PER_CLOSE = 60;
/** Of so many closed sessions, one is followed by a late poll. */
const CLOSES_PER_LATE_POLL = 2;
/** Time until the late poll, in milliseconds. In the longer one, other nodes forget a dead node. */
const MAX_LATENESS_MS = [1500, 14_000] as const;
/** Time after which an unanswered late poll is broken off. */
const LATE_POLL_MS = 1000;
const MAX_STEP_MS = 1200;
const MAX_SLOW_STEP_MS = 6000;
const MAX_RECONNECT_DELAY_MS = 1500;
const LOST_CONNECTION = 1006;

export interface HistoryClientOptions {
  readonly log: Pick<ClusterLog, 'add'>;
  readonly random: SeededRandom;
  /** Returns the port of a node, as a load balancer chooses it. */
  readonly nextPort: () => number | undefined;
  readonly nextAttempt: () => number;
  /** Returns false once clients should send nothing more. */
  readonly mayPollLate: () => boolean;
}

/** Returns a path below the prefix `/echo`. */
function sessionUrl(attempt: number): string {
  return `/echo/000/attempt${attempt}`;
}

/** One attempt to connect, until its session is closed. */
class Attempt {
  readonly #options: HistoryClientOptions;
  readonly #agent: Agent;
  readonly #transport: HttpTransport;
  readonly #number: number;
  readonly #onClosed: () => void;
  readonly #requests = new Set<ClientRequest>();
  readonly #queue: string[] = [];
  #state: 'closed' | 'connecting' | 'open' = 'connecting';
  #sent = 0;
  #isSending = false;

  constructor(options: HistoryClientOptions, agent: Agent, onClosed: () => void) {
    this.#options = options;
    this.#agent = agent;
    this.#transport = options.random.pick([XHR, ...HTTP_TRANSPORTS]);
    this.#number = options.nextAttempt();
    this.#onClosed = onClosed;
    this.#receive();
  }

  send(): void {
    if (this.#state !== 'open') return;
    for (let count = this.#options.random.integer(1, 3); count > 0; count -= 1) {
      this.#sent += 1;
      this.#queue.push(`c${this.#number}-${this.#sent}`);
    }
    this.#sendQueue();
  }

  /** Cuts the connection of a request. */
  breakOff(): void {
    const [first, ...others] = this.#requests;
    if (first !== undefined) this.#options.random.pick([first, ...others]).destroy();
  }

  close(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#add({ type: 'closed', status: { code, reason } });
    this.#destroyRequests();
    if (this.#options.random.oneIn(CLOSES_PER_LATE_POLL)) this.#pollLate();
    this.#onClosed();
  }

  #destroyRequests(): void {
    for (const request of this.#requests) request.destroy();
  }

  #receive(): void {
    const request = openRequest(this.#transport, this.#target);
    this.#request(request, (response) => this.#read(response));
  }

  #read(response: IncomingMessage): void {
    const { prelude } = this.#transport;
    let text = '';
    let needsPrelude = prelude !== '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (needsPrelude && text.length < prelude.length) return;
      if (needsPrelude) text = text.slice(prelude.length);
      needsPrelude = false;
      const { frames, rest } = splitFrames(this.#transport, text);
      text = rest;
      for (const frame of frames) this.#onFrame(frame);
    });
    response.on('end', () => {
      if (text === '') this.#receive();
      else this.close(LOST_CONNECTION, 'incomplete response');
    });
  }

  #onFrame(frame: string): void {
    if (this.#state === 'closed') return;
    if (frame === 'o') this.#open();
    else if (frame.startsWith('c')) {
      const { code, reason } = parseClose(frame);
      this.close(code, reason);
    } else if (frame !== 'h') for (const text of parseMessages(frame)) this.#onText(text);
  }

  #onText(text: string): void {
    const from = groupPublisher(text);
    if (from === undefined) return this.#add({ type: 'received', text });
    const node = memberName(this.#number);
    const event = { type: 'delivered', from, text } as const;
    return this.#options.log.add({ source: 'topic', node, topic: GROUP, event });
  }

  #open(): void {
    if (this.#state === 'open') return this.close(LOST_CONNECTION, 'Server lost session');
    this.#state = 'open';
    this.#add({ type: 'opened' });
    return undefined;
  }

  #sendQueue(): void {
    if (this.#isSending || this.#queue.length === 0 || this.#state !== 'open') return;
    const texts = this.#queue.splice(0);
    for (const text of texts) this.#add({ type: 'sent', text });
    this.#isSending = true;
    const request = sendRequest(this.#transport, this.#target, JSON.stringify(texts));
    this.#request(request, (response) => {
      response.resume();
      response.on('end', () => {
        this.#isSending = false;
        this.#sendQueue();
      });
    });
  }

  /** Polls although the session is closed, as a request that was delayed. */
  #pollLate(): void {
    const { random, mayPollLate } = this.#options;
    const request = openRequest(XHR, this.#target);
    const poll = (): void => {
      if (!mayPollLate()) return;
      this.#request(request, (response) => response.resume(), true);
      setTimeout(() => this.#destroyRequests(), LATE_POLL_MS);
    };
    setTimeout(poll, random.integer(1, random.pick(MAX_LATENESS_MS)));
  }

  get #target(): { readonly session: string; readonly query: string } {
    return { session: sessionUrl(this.#number), query: `attempt=${this.#number}` };
  }

  /** Sends a request. Any failure closes the session, unless the request is a late one. */
  #request(
    sent: RawRequest,
    onResponse: (response: IncomingMessage) => void,
    isLate = false,
    connects = 1,
  ): void {
    if (this.#state === 'closed' && !isLate) return;
    const fail = (reason: string): void => {
      if (!isLate) this.close(LOST_CONNECTION, reason);
    };
    const port = this.#options.nextPort();
    if (port === undefined) return fail('no node');
    const { method, path, headers = [], body } = sent;
    const length = body === undefined ? [] : [['Content-Length', String(body.length)] as const];
    const allHeaders = [['Host', '127.0.0.1'] as const, ...headers, ...length].flat();
    const target = { agent: this.#agent, host: '127.0.0.1', port };
    const request = sendHttpRequest({ ...target, method, path, headers: allHeaders });
    this.#requests.add(request);
    let hasResponse = false;
    request.on('response', (response) => {
      hasResponse = true;
      response.on('error', () => fail('the response broke off'));
      if (response.statusCode === 200 || response.statusCode === 204) return onResponse(response);
      response.resume();
      return fail(`status ${response.statusCode}`);
    });
    request.on('error', (error) => {
      this.#requests.delete(request);
      const isRefused = Reflect.get(error, 'code') === 'ECONNREFUSED';
      // Nothing has reached a node.
      if (isRefused && connects < MAX_CONNECT_ATTEMPTS)
        this.#request(sent, onResponse, isLate, connects + 1);
      else if (!hasResponse) fail(error.message);
    });
    request.on('close', () => this.#requests.delete(request));
    request.end(body);
    return undefined;
  }

  #add(event: DeliveryEvent): void {
    this.#options.log.add({ source: 'client', attempt: this.#number, event });
  }
}

/** Connects again and again, sends messages, and sometimes closes. */
export class HistoryClient {
  readonly #options: HistoryClientOptions;
  readonly #agent: Agent;
  #attempt: Attempt | undefined;
  #maxStep = MAX_STEP_MS;
  #state: 'ended' | 'quiet' | 'running' = 'running';

  /** @param options `random` also decides whether its requests share connections */
  constructor(options: HistoryClientOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: options.random.oneIn(2) });
    this.#reconnect();
    this.#step();
  }

  breakOff(): void {
    this.#attempt?.breakOff();
  }

  slowDown(): void {
    this.#maxStep = MAX_SLOW_STEP_MS;
  }

  /** Sends nothing more, and stays open. */
  quieten(): void {
    this.#state = 'quiet';
  }

  end(): void {
    this.#state = 'ended';
    this.#attempt?.close(1000, 'done');
  }

  #reconnect(): void {
    const { random } = this.#options;
    setTimeout(
      () => {
        if (this.#state === 'running')
          this.#attempt = new Attempt(this.#options, this.#agent, () => this.#reconnect());
      },
      random.integer(1, MAX_RECONNECT_DELAY_MS),
    );
  }

  #step(): void {
    const { random } = this.#options;
    if (this.#state !== 'running') return;
    if (random.oneIn(STEPS_PER_CLOSE)) this.#attempt?.close(1000, 'bye');
    else this.#attempt?.send();
    setTimeout(() => this.#step(), random.integer(1, this.#maxStep));
  }
}
