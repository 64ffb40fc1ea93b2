/**
 * The page under test: scenarios with one browser client, as functions that return JSON. The module of the client is
 * that of the router.
 */
import { connect } from './websocket/client.js';

const TIMEOUT_MS = 20_000;

const texts = fetch('texts.json').then((response) => response.json());
const held = new Map();

function within(promise, awaited) {
  const late = new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error(`Timed out waiting for ${awaited}.`)), TIMEOUT_MS);
  });
  return Promise.race([promise, late]);
}

/** Resolves with the next event of a type. */
function next(socket, type) {
  const event = new Promise((resolve) => {
    socket.addEventListener(type, resolve, { once: true });
  });
  return within(event, type);
}

async function open(url, transport, options = '{}') {
  const socket = connect(url, {
    transports: [transport],
    reconnectDelay: 100,
    timeout: 10_000,
    ...JSON.parse(options),
  });
  await next(socket, 'open');
  return socket;
}

/** Sends all texts, and returns the number of those that did not return unchanged and in order. */
async function countDifferences(socket, expected) {
  const received = [];
  const complete = new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      received.push(data);
      if (received.length === expected.length) resolve();
    };
  });
  for (const text of expected) socket.send(text);
  await within(complete, `${expected.length} messages`);
  return expected.filter((text, index) => received[index] !== text).length;
}

function detailsOf({ code, reason, wasClean, status }) {
  return { code, reason, wasClean, status: status ?? null };
}

const scenarios = {
  async converse(url, transport) {
    const socket = await open(url, transport);
    const { texts: all, numbers, large } = await texts;
    const differences = [
      await countDifferences(socket, all),
      await countDifferences(socket, numbers),
      await countDifferences(socket, [large[0].repeat(4)]),
    ];
    const { transport: used } = socket;
    const closed = next(socket, 'close');
    socket.close(4001, 'done');
    return { transport: used, differences, closed: detailsOf(await closed) };
  },

  /** Sends with options, which have a token as text. Returns the used transport. */
  async exchange(url, transports, options) {
    const { token, ...rest } = JSON.parse(options);
    const socket = connect(url, {
      transports: transports.split(' '),
      timeout: 10_000,
      token: () => token,
      ...rest,
    });
    await next(socket, 'open');
    const { transport } = socket;
    const messages = ['x'.repeat(3000), 'y'.repeat(3000)];
    const differences = await countDifferences(socket, messages);
    // The second time, over the next receiving request if the limit of the server is lower than this.
    const later = await countDifferences(socket, messages);
    const closed = next(socket, 'close');
    socket.close();
    await closed;
    return differences + later === 0 ? transport : 'differences';
  },

  async closedByServer(url, transport) {
    const socket = await open(url, transport);
    const closed = next(socket, 'close');
    socket.send('close');
    return detailsOf(await closed);
  },

  /** Opens a client and keeps it open. */
  async hold(url, transport, options) {
    held.set(url, await open(url, transport, options));
    return true;
  },

  /** Waits for the loss of a held client, and sends while it is disconnected. */
  async lose(url) {
    const socket = held.get(url);
    if (socket.readyState === 1) await next(socket, 'reconnecting');
    const opened = next(socket, 'open');
    const message = next(socket, 'message');
    held.set(`${url} restored`, Promise.all([opened, message]));
    return socket.send('meanwhile');
  },

  async restored(url) {
    const [{ reconnected }, { data }] = await held.get(`${url} restored`);
    return { reconnected, data };
  },

  /** Sends over a held client. */
  async echo(url, text) {
    const socket = held.get(url);
    if (socket.readyState !== 1) await next(socket, 'open');
    const message = next(socket, 'message');
    socket.send(text);
    return (await message).data;
  },

  /** The first loss of a client that cannot connect. */
  async fail(url, transports) {
    const socket = connect(url, { transports: transports.split(' ') });
    const closed = new Promise((resolve) => {
      for (const type of ['reconnecting', 'close'])
        socket.addEventListener(type, (event) => resolve({ type, ...detailsOf(event) }));
    });
    const result = await within(closed, 'a loss');
    socket.close();
    return result;
  },
};

window.persisted = null;
addEventListener('pageshow', ({ persisted }) => {
  window.persisted = persisted;
});

/** Runs a scenario for each list of arguments at the same time. */
window.run = (name, argumentLists) =>
  Promise.all(
    argumentLists.map((args) =>
      scenarios[name](...args).catch((error) => ({ failure: String(error) })),
    ),
  );
