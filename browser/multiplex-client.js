/**
 * Channels over one SockJS connection; the other half of `multiplex()` in sockjs-server. A channel looks
 * like a WebSocket: `readyState`, `onopen`, `onmessage`, `onclose`, `addEventListener`, `send`, `close`.
 */

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;

class Channel extends EventTarget {
  /** The name under which the server declared it. */
  name;
  readyState = CONNECTING;
  onopen = null;
  onmessage = null;
  onclose = null;
  #post;
  #leave;

  constructor(name, post, leave) {
    super();
    this.name = name;
    this.#post = post;
    this.#leave = leave;
  }

  /** Sends one text. Throws before the channel is open, as a WebSocket does. */
  send(text) {
    if (this.readyState === CONNECTING) throw new Error(`Channel ${this.name} is not open yet.`);
    if (this.readyState === OPEN) this.#post(`msg,${encodeURIComponent(this.name)},${text}`);
  }

  /** Leaves the channel; the connection and its other channels go on. */
  close() {
    if (this.readyState === CLOSED) return;
    if (this.readyState === OPEN) this.#post(`uns,${encodeURIComponent(this.name)}`);
    this.ended(1000, 'Unsubscribed', true);
  }

  /** Called by the client. */
  opened() {
    this.readyState = OPEN;
    this.#tell(new Event('open'));
  }

  /** Called by the client. */
  received(text) {
    this.#tell(new MessageEvent('message', { data: text }));
  }

  /** Called by the client. */
  ended(code, reason, wasClean) {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#leave(this);
    this.#tell(Object.assign(new Event('close'), { code, reason, wasClean }));
  }

  #tell(event) {
    this[`on${event.type}`]?.(event);
    this.dispatchEvent(event);
  }
}

/** @returns the parts of `text` between its first commas; the last part keeps all further ones */
function split(text, parts) {
  const pieces = text.split(',');
  return [...pieces.slice(0, parts - 1), pieces.slice(parts - 1).join(',')];
}

export class MultiplexClient {
  #socket;
  #channels = new Map();

  /** @param socket a SockJS (or WebSocket) object, open or not; leave its events to this client */
  constructor(socket) {
    this.#socket = socket;
    socket.addEventListener('open', () => {
      this.#snapshot().forEach((channel) => this.#subscribe(channel));
    });
    socket.addEventListener('message', (event) => this.#receive(event.data));
    socket.addEventListener('close', ({ code, reason, wasClean }) => {
      this.#snapshot().forEach((channel) => channel.ended(code, reason, wasClean));
    });
  }

  /** Opens a channel, or hands out the one of this name that is open. */
  channel(name) {
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const channel = new Channel(
      name,
      (text) => this.#socket.send(text),
      (left) => {
        if (this.#channels.get(name) === left) this.#channels.delete(name);
      },
    );
    this.#channels.set(name, channel);
    if (this.#socket.readyState === OPEN) queueMicrotask(() => this.#subscribe(channel));
    return channel;
  }

  /** The channels of this moment: a handler may open new ones. */
  #snapshot() {
    return [...this.#channels.values()];
  }

  #subscribe(channel) {
    if (channel.readyState !== CONNECTING || this.#socket.readyState !== OPEN) return;
    this.#socket.send(`sub,${encodeURIComponent(channel.name)}`);
    channel.opened();
  }

  #receive(message) {
    const [kind, name, rest] = split(message, 3);
    const channel = this.#channels.get(decodeURIComponent(name));
    if (channel === undefined) return;
    if (kind === 'msg') channel.received(rest);
    if (kind !== 'uns') return;
    const [code, reason] = split(rest, 2);
    channel.ended(Number(code) || 1000, reason, true);
  }
}
