/**
 * The page under test: what one sockjs-client can be made to do, as functions that give JSON. Each is
 * given the address of a service and the one transport that the client may use.
 */
'use strict';

const DEADLINE = 20_000;

/** Long enough for every client that sees by itself that its server is gone. */
const NOTICE_TIME = 4000;

/** At the least, so that a slow machine is not taken for a transport that does not work. */
const TRANSPORT_TIMEOUT = 4000;

const sent = fetch('texts.json').then((answer) => answer.json());
const QUIET = 100;

const heldClients = new Map();

function within(awaited, what) {
  const late = new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error(`waited in vain for ${what}`)), DEADLINE);
  });
  return Promise.race([awaited, late]);
}

class Client {
  messages = [];
  #socket;
  #awaitMessages = () => {};

  constructor(url, transport) {
    this.#socket = new SockJS(url, undefined, {
      transports: transport,
      timeout: TRANSPORT_TIMEOUT,
    });
    this.closed = new Promise((resolve) => {
      this.#socket.addEventListener('close', ({ code, reason, wasClean }) =>
        resolve({ code, reason, wasClean }),
      );
    });
    this.opened = new Promise((resolve) => {
      this.#socket.addEventListener('open', () => resolve({ transport: this.#socket.transport }));
    });
    this.#socket.addEventListener('message', ({ data }) => {
      this.messages.push(data);
      this.#awaitMessages();
    });
  }

  /** The transport it has arrived at, or how it was closed before it could open. */
  get started() {
    return within(Promise.race([this.opened, this.closed]), 'the open or close event');
  }

  send(messages) {
    for (const message of messages) this.#socket.send(message);
  }

  /**
   * After a moment of quiet: sockjs-client 1.6.1 starts the next request of its XHR transports one turn
   * after the last has ended, and a close just in between does not stop it.
   */
  async close() {
    await new Promise((resolve) => setTimeout(resolve, QUIET));
    this.#socket.close();
    return within(this.closed, 'the close event');
  }

  /** Sends all of them at once. @returns what comes back, as many messages as were sent */
  async echo(texts) {
    this.messages = [];
    const complete = new Promise((resolve) => {
      this.#awaitMessages = () => {
        if (this.messages.length >= texts.length) resolve(this.messages);
      };
    });
    this.send(texts);
    return within(complete, `${texts.length} messages`);
  }
}

/** How many did not come back as they were, in their place. */
function differences(texts, received) {
  return texts.filter((text, index) => received[index] !== text).length;
}

const scenarios = {
  /** Only that the client opens, if it does. */
  async connect(url, transport) {
    const client = new Client(url, transport);
    const started = await client.started;
    if (started.transport !== undefined) await client.close();
    return { started };
  },

  /** All that one client can say and hear; at its end the client closes. */
  async talk(url, transport) {
    const client = new Client(url, transport);
    const started = await client.started;
    if (started.transport === undefined) return { started };
    const { texts, numbers, large } = await sent;
    const result = {
      started,
      texts: differences(texts, await client.echo(texts)),
      numbers: differences(numbers, await client.echo(numbers)),
      large: differences(large, await client.echo(large)),
    };
    return { ...result, closed: await client.close() };
  },

  async closedByServer(url, transport) {
    const client = new Client(url, transport);
    const started = await client.started;
    if (started.transport === undefined) return { started };
    client.send(['close']);
    return { started, closed: await within(client.closed, 'the close event') };
  },

  /** Opens a client that stays. */
  async hold(url, transport) {
    const client = new Client(url, transport);
    heldClients.set(url, client);
    return { started: await client.started };
  },

  /** How a client that was held learns that its server is gone: by itself, or when it sends. */
  async lost(url) {
    const client = heldClients.get(url);
    const silent = new Promise((resolve) => {
      setTimeout(resolve, NOTICE_TIME, false);
    });
    const byItself = await Promise.race([client.closed.then(() => true), silent]);
    if (!byItself) client.send(['Is anybody there?']);
    const { code, wasClean } = await within(client.closed, 'the close event');
    return { byItself, closed: { code, wasClean } };
  },
};

/** Runs lanes side by side, and the steps of a lane one after the other. A step is [scenario, url, transport]. */
window.runLanes = (lanes) =>
  Promise.all(
    lanes.map(async (steps) => {
      const results = [];
      for (const [scenario, url, transport] of steps) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- one after the other is what a lane is
          results.push(await scenarios[scenario](url, transport));
        } catch (error) {
          results.push({ failure: error.message });
        }
      }
      return results;
    }),
  );
