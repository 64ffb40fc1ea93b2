import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { OutputWatchdog, type WriteLimits } from '../../http/output-watchdog.ts';
import { bytesQueued, bytesTaken } from '../node/node-internals.ts';

/**
 * Limit for the open streams of routers on a connection without `maxConcurrentStreams`. Node enforces that setting, but
 * its default is no limit.
 */
const MAX_STREAMS = 1000;
/** Value of `maxConcurrentStreams` from which it counts as not set. Node's default is 2^32 - 1. */
const UNLIMITED = 0x7fff_ffff;

/** The other end of an HTTP/2 connection: a client, or a proxy with the streams of many clients. */
export class Http2Peer {
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  readonly #session: Http2Session;
  readonly #socket: Socket;
  #streams = 0;
  #watchdog: OutputWatchdog | undefined;

  constructor(session: Http2Session) {
    this.#session = session;
    this.#socket = socketOf(session);
    this.remoteAddress = this.#socket.remoteAddress ?? '';
    this.encrypted = session.encrypted === true;
  }

  /** The client's certificate, if the server requested one and verified it. */
  get certificate(): PeerCertificate | undefined {
    if (this.#session.destroyed) return undefined;
    const socket = this.#socket;
    return socket instanceof TLSSocket && socket.authorized
      ? socket.getPeerCertificate()
      : undefined;
  }

  /** False for a connection that was reset before it was noticed, and would escape every limit per address. */
  get hasAddress(): boolean {
    return this.remoteAddress !== '' || this.#socket.localAddress === undefined;
  }

  get hasTooManyStreams(): boolean {
    if (this.#streams <= MAX_STREAMS) return false;
    const { maxConcurrentStreams = UNLIMITED } = this.#session.localSettings;
    return maxConcurrentStreams >= UNLIMITED;
  }

  addStream(): void {
    this.#streams += 1;
  }

  /**
   * Called once a stream has closed. Its bytes that were passed to the connection stay in memory, and nothing else watches
   * them. If the client takes none of them, the connection is closed.
   */
  removeStream(limits: WriteLimits): void {
    this.#streams -= 1;
    if (bytesQueued(this.#socket) === 0) return;
    this.#watchdog ??= this.#createWatchdog(limits);
    this.#watchdog.start();
  }

  #createWatchdog(limits: WriteLimits): OutputWatchdog {
    const socket = this.#socket;
    const output = {
      bytesTaken: () => bytesTaken(socket),
      bytesBuffered: () => bytesQueued(socket),
    };
    const watchdog = new OutputWatchdog(output, limits, () => {
      if (bytesQueued(socket) === 0) return;
      this.#session.destroy();
      // The session would wait until the client has read everything.
      socket.destroy();
    });
    socket.once('close', () => watchdog.stop());
    return watchdog;
  }
}

function ignore(): void {}

/** Returns the socket of a connection. `session.socket` is a proxy, on which `destroy` is not allowed. */
function socketOf({ socket }: Http2Session): Socket {
  // A chainable method returns the socket itself.
  return socket.off('close', ignore);
}

const peers = new WeakMap<Http2Session, Http2Peer>();

/** Returns the peer of a connection. */
export function peerOf(session: Http2Session): Http2Peer {
  let peer = peers.get(session);
  if (peer === undefined) {
    peer = new Http2Peer(session);
    peers.set(session, peer);
  }
  return peer;
}
