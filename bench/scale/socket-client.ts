/** A WebSocket session that echoes on request. */
import { SOCKJS } from '../load/dialects.ts';
import { Expected, plainTexts } from '../load/inbox.ts';
import { WebSocketClient, textFrame } from '../load/websocket.ts';

const TEXTS = plainTexts(32)(0);
const EXPECTED = new Expected(SOCKJS, TEXTS);
const FRAMES = TEXTS.map((text) => textFrame(SOCKJS.encode(text)));

export class SocketClient {
  readonly #socket: WebSocketClient;
  #sent = 0;

  private constructor(socket: WebSocketClient) {
    this.#socket = socket;
  }

  static async open(port: number): Promise<SocketClient> {
    return new SocketClient(await WebSocketClient.open(port, SOCKJS, EXPECTED));
  }

  /** Sends a message and receives its echo. */
  async echo(): Promise<void> {
    const frame = FRAMES[this.#sent % FRAMES.length];
    if (frame === undefined) return;
    this.#sent += 1;
    const received = this.#socket.inbox.messages(1);
    this.#socket.send(frame);
    await received;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
