/**
 * STOMP for browsers. Each session below `/stomp` is relayed to the TCP port of a broker (RabbitMQ with its STOMP
 * plugin, ActiveMQ, Artemis), with the login that the client sends. In the browser:
 *
 *   new StompJs.Client({ webSocketFactory: () => new SockJS('/stomp') })
 *
 * SockJS messages are text, so bodies that are not UTF-8 do not pass.
 */
import { type Socket, connect } from 'node:net';
import { SockJSConnection, SockJSRouter } from 'sockjs-server';
import { FrameCutter } from './frames.ts';

const { BROKER_HOST = '127.0.0.1', BROKER_PORT = '61613', PORT = '9999' } = process.env;

/** Time for the broker to accept a connection, in milliseconds. */
const PATIENCE = 5000;
/** Maximal length of a frame from the broker, and of the data buffered for it, in bytes. */
const LONGEST_FRAME = 4 * 1024 * 1024;
const MOST_WAITING = 1024 * 1024;

async function connectToBroker(): Promise<Socket> {
  const socket = connect({ host: BROKER_HOST, port: Number(BROKER_PORT), noDelay: true });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => socket.destroy(new Error('the broker is silent')), PATIENCE);
    socket.once('connect', () => resolve(socket)).once('error', reject);
    socket.once('connect', () => clearTimeout(late)).once('close', () => clearTimeout(late));
  });
}

class StompRelay extends SockJSConnection {
  readonly #cutter = new FrameCutter(LONGEST_FRAME);
  #broker: Socket | undefined;

  // Delays the first frames of the client until the broker has accepted.
  override async onOpen(): Promise<boolean> {
    try {
      this.#broker = await connectToBroker();
    } catch (error) {
      console.error(`No broker at ${BROKER_HOST}:${BROKER_PORT}:`, error);
      return false;
    }
    this.#broker.on('data', (chunk) => this.#fromBroker(chunk));
    this.#broker.on('error', (error) => console.error('The broker’s connection failed:', error));
    this.#broker.on('close', () => this.#end(1012, 'The broker has closed the connection'));
    return true;
  }

  // Frames and heart-beats pass unchanged, because TCP has no message boundaries.
  override onMessage(message: string): void {
    const broker = this.#broker;
    if (broker === undefined) return;
    broker.write(message);
    if (broker.writableLength > MOST_WAITING) this.#end(1013, 'The broker does not keep up');
  }

  override onDrain(): void {
    this.#broker?.resume();
  }

  // Flushes the frames that the client sent before it left.
  override onClose(): void {
    this.#broker?.destroySoon();
  }

  #fromBroker(chunk: Buffer): void {
    try {
      let keepsUp = true;
      for (const frame of this.#cutter.push(chunk)) keepsUp = this.send(frame);
      // Applies backpressure to the broker until the client has caught up.
      if (!keepsUp) this.#broker?.pause();
    } catch {
      this.#end(1009, 'The broker sent a frame that is too long');
    }
  }

  #end(code: number, reason: string): void {
    if (!this.isClosed) this.close(code, reason);
  }
}

const router = new SockJSRouter(StompRelay, '/stomp');
const server = router.listen(Number(PORT));
server.on('listening', () => console.log('STOMP over SockJS listens on', server.address()));

async function stop(): Promise<void> {
  await router.close({ timeout: 1000 });
  process.exit();
}

process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
