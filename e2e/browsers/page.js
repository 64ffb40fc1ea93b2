/**
 * The page under test: scenarios with one sockjs-client, as functions that return JSON. Each one gets the URL of a
 * service and the only transport that the client may use.
 */
'use strict';

const TIMEOUT_MS = 20_000;

/** More time than a client needs that notices the end of its server without sending. */
const NOTICE_MS = 4000;

/** Minimal timeout of a transport, so that a slow machine is not mistaken for a broken transport. */
const TRANSPORT_TIMEOUT_MS = 4000;

const testTexts = fetch('texts.json').then((response) => response.json());
const QUIET_MS = 100;

const heldClients = new Map();

function within(promise, awaited) {
  const late = new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error(`Timed out waiting for ${awaited}.`)), TIMEOUT_MS);
  });
  return Promise.race([promise, late]);
}

class Client {
  messages = [];
  #socket;
  #awaitMessages = () => {};

  constructor(url, transport) {
    this.#socket = new SockJS(url, undefined, {
      transports: transport,
      timeout: TRANSPORT_TIMEOUT_MS,
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

  /** The transport of the open client, or the event that closed it before. */
  get started() {
    return within(Promise.race([this.opened, this.closed]), 'the open or close event');
  }

  send(messages) {
    for (const message of messages) this.#socket.send(message);
  }

  /**
   * Closes after a pause: sockjs-client 1.6.1 starts the next request of its XHR transports one turn of the event
   * loop after the last one has ended, and a close between the two does not stop it.
   */
  async close() {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    this.#socket.close();
    return within(this.closed, 'the close event');
  }

  /** Sends all texts at once. @returns as many messages as were sent */
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

/** @returns the number of texts that did not return unchanged and in order */
function differences(texts, received) {
  return texts.filter((text, index) => received[index] !== text).length;
}

const scenarios = {
  /** Opens and closes a client. */
  async connect(url, transport) {
    const client = new Client(url, transport);
    const started = await client.started;
    if (started.transport !== undefined) await client.close();
    return { started };
  },

  /** Exchanges all texts, then closes the client. */
  async converse(url, transport) {
    const client = new Client(url, transport);
    const started = await client.started;
    if (started.transport === undefined) return { started };
    const { texts, numbers, large } = await testTexts;
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

  /** Opens a client and keeps it open. */
  async hold(url, transport) {
    const client = new Client(url, transport);
    heldClients.set(url, client);
    return { started: await client.started };
  },

  /** Waits for a kept client to notice that its server is gone: by itself, or when it sends. */
  async lost(url) {
    const client = heldClients.get(url);
    const timeout = new Promise((resolve) => {
      setTimeout(resolve, NOTICE_MS, false);
    });
    const byItself = await Promise.race([client.closed.then(() => true), timeout]);
    if (!byItself) client.send(['probe']);
    const { code, wasClean } = await within(client.closed, 'the close event');
    return { byItself, closed: { code, wasClean } };
  },
};

/** Runs lanes at the same time, and the steps of a lane in sequence. A step is [scenario, url, transport]. */
window.runLanes = (lanes) =>
  Promise.all(
    lanes.map(async (steps) => {
      const results = [];
      for (const [scenario, url, transport] of steps) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- a lane is a sequence
          results.push(await scenarios[scenario](url, transport));
        } catch (error) {
          results.push({ failure: error.message });
        }
      }
      return results;
    }),
  );
