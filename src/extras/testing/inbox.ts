import type { CloseStatus } from '../../base/close-reasons.ts';
import { CLOSE_REASONS } from '../../base/close-reasons.ts';
import { keepProcess, startRealTimer } from './real-time.ts';

interface Reader<Message> {
  resolve(message: Message): void;
  reject(error: Error): void;
}

const MAX_SHOWN_LENGTH = 80;

function show(message: unknown): string {
  const text = JSON.stringify(message) ?? String(message);
  return text.length <= MAX_SHOWN_LENGTH ? text : `${text.slice(0, MAX_SHOWN_LENGTH)}…`;
}

/** Describes the end of a connection, for the middle of a sentence. */
export function describeClose({ code, reason }: CloseStatus): string {
  const { internalError } = CLOSE_REASONS;
  const isError = code === internalError.code && reason === internalError.reason;
  const status = reason === '' ? String(code) : `${code} ${reason}`;
  return isError ? `${status}. A handler has thrown; the log has its error` : status;
}

/** Receives the frames of a session on the client's side, in order. */
export class Inbox<Message> {
  /** All messages, also those that `next` has returned. */
  readonly received: Message[] = [];
  heartbeats = 0;
  /** Set once the client has closed, or knows that the server has. */
  closeStatus: CloseStatus | undefined;
  readonly #timeout: number;
  readonly #unread: Message[] = [];
  /** Resolves once the inbox is closed. It does not keep the process. */
  readonly whenClosed: Promise<CloseStatus>;
  #releaseProcess: (() => void) | undefined;
  readonly #readers = new Set<Reader<Message>>();
  #onClosed: ((status: CloseStatus) => void) | undefined;

  /** @param timeout default time limit of `next`, in milliseconds */
  constructor(timeout: number) {
    this.#timeout = timeout;
    this.whenClosed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
  }

  /** The same, and keeps the process for a while. */
  get closed(): Promise<CloseStatus> {
    if (this.closeStatus === undefined) this.#releaseProcess ??= keepProcess();
    return this.whenClosed;
  }

  /** Reads the text of one SockJS frame. */
  readFrame(text: string): void {
    if (text.startsWith('h')) this.heartbeats += 1;
    if (!text.startsWith('a') && !text.startsWith('c')) return;
    const items: unknown = JSON.parse(text.slice(1));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the router has written the frame
    if (text.startsWith('c')) this.close(...(items as [number, string]));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- texts, which every `Message` includes
    else for (const message of items as Message[]) this.push(message);
  }

  push(message: Message): void {
    if (this.closeStatus !== undefined) return;
    this.received.push(message);
    const [reader] = this.#readers;
    if (reader === undefined) this.#unread.push(message);
    else reader.resolve(message);
  }

  /** Closes the inbox. The first code and reason count. */
  close(code: number, reason: string): void {
    if (this.closeStatus !== undefined) return;
    this.closeStatus = { code, reason };
    this.#onClosed?.(this.closeStatus);
    this.#releaseProcess?.();
    for (const reader of this.#readers) reader.reject(this.#closeError(this.closeStatus));
  }

  /** @throws Error once it is closed */
  checkOpen(): void {
    if (this.closeStatus === undefined) return;
    const status = describeClose(this.closeStatus);
    throw new Error(`send() was called after the connection has closed with ${status}.`);
  }

  /** Returns the next message. @param timeout in milliseconds of real time */
  next(timeout: number = this.#timeout): Promise<Message> {
    for (const message of this.#unread.splice(0, 1)) return Promise.resolve(message);
    if (this.closeStatus !== undefined) return Promise.reject(this.#closeError(this.closeStatus));
    const message = this.#read(timeout);
    // A test may await the message after other promises.
    message.catch(() => {});
    return message;
  }

  #read(timeout: number): Promise<Message> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        stopTimer();
        this.#readers.delete(reader);
      };
      const reader: Reader<Message> = {
        resolve: (message) => {
          settle();
          resolve(message);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const stopTimer = startRealTimer(timeout, () => {
        reader.reject(
          new Error(`The server has sent no message within ${timeout} ms. ${this.#history()}`),
        );
      });
      this.#readers.add(reader);
    });
  }

  #closeError(status: CloseStatus): Error {
    return new Error(
      `There is no next message: the connection has closed with ${describeClose(status)}. ${this.#history()}`,
    );
  }

  #history(): string {
    const { length } = this.received;
    if (length === 0) return 'None was received before.';
    return `Received before: ${length}, the last one was ${show(this.received.at(-1))}.`;
  }
}
