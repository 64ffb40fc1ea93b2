/** Messages between the workers of `node:cluster` and the hub in their primary process, as JSON. */
import type { EventEmitter } from 'node:events';
import { SockJSError } from '../base/errors.ts';
import type { RecordKind } from './engine.ts';

/** Changes with every incompatible change of the messages. A primary process can be older than its workers. */
export const IPC_VERSION = 1;

/** UTF-16 code units of messages that are not written yet. A process that is stopped reads nothing. */
const MAX_QUEUED_UNITS = 16 * 1024 * 1024;
/** Cost of a message in addition to its text. */
const MESSAGE_OVERHEAD_UNITS = 100;

export type Entries<Value> = readonly (readonly [key: string, Value])[];

/** A call of a method of `Engine`. JSON has no undefined, so that null takes its place. */
export type IpcCall =
  | { readonly method: 'connect'; version: number; namespace: string }
  | { readonly method: 'create'; kind: RecordKind; key: string; value: string }
  | { readonly method: 'read'; kind: RecordKind; key: string }
  | {
      readonly method: 'replace';
      kind: RecordKind;
      key: string;
      current: string;
      next: string | null;
      ttl: number;
    }
  | { readonly method: 'keep'; kind: RecordKind; records: Entries<string> }
  | { readonly method: 'keepMember'; node: string; card: string }
  | { readonly method: 'removeMember'; node: string }
  | { readonly method: 'writeFields'; key: string; changes: Entries<string | null> }
  | { readonly method: 'readFields'; key: string }
  | { readonly method: 'replaceFields'; key: string; fields: Entries<string> }
  | { readonly method: 'subscribe' | 'unsubscribe'; topic: string };

/** `client` numbers the engines of a worker. The channel also carries messages of the application. */
export type ToHub =
  | { readonly sockjsHub: 'call'; client: number; id: number; call: IpcCall }
  | { readonly sockjsHub: 'publish'; client: number; topic: string; data: string }
  | { readonly sockjsHub: 'close'; client: number };

export type FromHub =
  | { readonly sockjsHub: 'result'; client: number; id: number; result: unknown }
  | { readonly sockjsHub: 'failure'; client: number; id: number; text: string }
  | { readonly sockjsHub: 'message'; client: number; topic: string; data: string }
  | { readonly sockjsHub: 'missed'; client: number };

/** The channel of a process: `process` in a worker, a worker or a child process in its parent. */
export interface IpcProcess extends EventEmitter {
  send?(message: ToHub | FromHub, callback: (error: Error | null) => void): boolean;
}

export interface IpcChannelListener {
  /** Called with each message, those of the application included. */
  onMessage(message: unknown): void;
  onDisconnect(): void;
}

function isOurs(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'sockjsHub' in message;
}

export function isToHub(message: unknown): message is ToHub {
  return isOurs(message);
}

export function isFromHub(message: unknown): message is FromHub {
  return isOurs(message);
}

/** One end of an IPC channel. */
export class IpcChannel {
  readonly #process: IpcProcess;
  readonly #onMessage: (message: unknown) => void;
  readonly #onDisconnect: () => void;
  #queuedUnits = 0;

  constructor(process: IpcProcess, listener: IpcChannelListener) {
    this.#process = process;
    this.#onMessage = (message) => listener.onMessage(message);
    this.#onDisconnect = () => listener.onDisconnect();
    process.on('message', this.#onMessage);
    process.on('disconnect', this.#onDisconnect);
  }

  /** True if nothing waits to be written. */
  get isDrained(): boolean {
    return this.#queuedUnits === 0;
  }

  /**
   * Sends a message.
   * @param text its variable part, whose length is limited together with all messages that are not written yet
   * @returns a promise that resolves when the message is written
   * @throws SockJSError `ERR_BACKPLANE` as a rejection, if too much waits to be written
   */
  send(message: FromHub | ToHub, text = ''): Promise<void> {
    const units = text.length + MESSAGE_OVERHEAD_UNITS;
    if (this.#queuedUnits + units > MAX_QUEUED_UNITS) {
      const reason = 'The IPC channel is full, because the other process does not read.';
      return Promise.reject(new SockJSError('ERR_BACKPLANE', reason));
    }
    this.#queuedUnits += units;
    return new Promise((resolve, reject) => {
      const isSent = this.#process.send?.(message, (error) => {
        this.#queuedUnits -= units;
        if (error === null) resolve();
        else reject(error);
      });
      if (isSent === undefined)
        reject(new SockJSError('ERR_BACKPLANE', 'There is no IPC channel.'));
    });
  }

  /** Removes the listeners, which keep a process alive. */
  close(): void {
    this.#process.off('message', this.#onMessage);
    this.#process.off('disconnect', this.#onDisconnect);
  }
}
