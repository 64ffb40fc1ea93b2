/** The demo site at work, used by the real sockjs-client, from its start to the signal that ends it. */
import assert from 'node:assert/strict';
import { type TestContext, after, test } from 'node:test';
import SockJS from 'sockjs-client';
import { type Channel, MultiplexClient } from 'sockjs-server/multiplex-client';
import { type Client, Queue, TRANSPORTS, open, overEach, within } from '../support/client.ts';
import { Program, endsInTime, start } from './program.ts';

const site = new Program('index.ts');
const port = await site.port();
const url = `http://127.0.0.1:${port}`;

after(async () => {
  site.kill('SIGTERM');
  assert.deepEqual(await site.exited(), { code: 0, signal: null });
  assert.equal(site.stderr, '');
});

overEach('the echo gives back what it is sent', async (t, transports) => {
  const client = await open(t, `${url}/echo`, { transports });
  client.send('one', 'two');
  assert.deepEqual(await client.messages.take(2), ['one', 'two']);
});

async function heard(client: Client): Promise<unknown> {
  const notice: unknown = JSON.parse(await client.messages.next());
  return notice;
}

/** In the chat, with the notices of the arrival heard. @returns the name given */
async function enter(client: Client, name: string): Promise<unknown> {
  client.send(name);
  const welcome = await heard(client);
  await heard(client);
  assert.ok(typeof welcome === 'object' && welcome !== null && 'name' in welcome);
  return welcome.name;
}

test('in the chat everyone hears who comes, what is said and who goes', async (t) => {
  const ann = await open(t, `${url}/chat`, { transports: 'websocket' });
  ann.send('Ann');
  assert.deepEqual(await heard(ann), { type: 'welcome', name: 'Ann' });
  assert.deepEqual(await heard(ann), { type: 'joined', name: 'Ann', people: ['Ann'] });

  const bob = await open(t, `${url}/chat`, { transports: 'xhr-polling' });
  bob.send('Bob');
  assert.deepEqual(await heard(bob), { type: 'welcome', name: 'Bob' });
  const joined = { type: 'joined', name: 'Bob', people: ['Ann', 'Bob'] };
  assert.deepEqual(await heard(ann), joined);
  assert.deepEqual(await heard(bob), joined);

  bob.send('<b>hello</b>');
  const said = { type: 'said', name: 'Bob', text: '<b>hello</b>' };
  assert.deepEqual(await heard(ann), said);
  assert.deepEqual(await heard(bob), said);

  ann.close();
  assert.deepEqual(await heard(bob), { type: 'left', name: 'Ann', people: ['Bob'] });
});

test('in the chat a name that is in use gets a number', async (t) => {
  const first = await open(t, `${url}/chat`, { transports: 'websocket' });
  assert.equal(await enter(first, 'Carl'), 'Carl');
  const second = await open(t, `${url}/chat`, { transports: 'websocket' });
  assert.equal(await enter(second, 'Carl'), 'Carl 2');
});

for (const [wanted, name] of [
  ['  D \n\t D ', 'D D'],
  ['   ', 'Guest'],
  ['E'.repeat(100), 'E'.repeat(24)],
] as const) {
  test(`in the chat ${JSON.stringify(wanted)} becomes ${JSON.stringify(name)}`, async (t) => {
    const client = await open(t, `${url}/chat`, { transports: 'websocket' });
    assert.equal(await enter(client, wanted), name);
  });
}

test('in the chat a long text is cut', async (t) => {
  const client = await open(t, `${url}/chat`, { transports: 'websocket' });
  const name = await enter(client, 'Fay');
  client.send('x'.repeat(501));
  assert.deepEqual(await heard(client), { type: 'said', name, text: 'x'.repeat(500) });
});

test('who has no name yet hears nothing of the chat', async (t) => {
  const silent = await open(t, `${url}/chat`, { transports: 'websocket' });
  const gus = await open(t, `${url}/chat`, { transports: 'websocket' });
  await enter(gus, 'Gus');
  assert.equal(await enter(silent, 'Hal'), 'Hal');
});

/** The messages of a channel. */
function listen(channel: Channel): Queue<string> {
  const messages = new Queue<string>(`a message of ${channel.name}`);
  channel.addEventListener('message', (event) => {
    const data: unknown = Reflect.get(event, 'data');
    assert.ok(typeof data === 'string');
    messages.put(data);
  });
  return messages;
}

async function opened(channel: Channel): Promise<void> {
  const event = new Promise<void>((resolve) => (channel.onopen = () => resolve()));
  await within(event, `the open event of ${channel.name}`);
}

function multiplexed(t: TestContext, transports: string): MultiplexClient {
  const socket = new SockJS(`${url}/multiplex`, undefined, { transports });
  t.after(() => socket.close());
  return new MultiplexClient(socket);
}

overEach('three channels share one connection', async (t, transports) => {
  const client = multiplexed(t, transports);
  const [shout, room, clock] = ['shout', 'room', 'clock'].map((name) => client.channel(name));
  assert.ok(shout !== undefined && room !== undefined && clock !== undefined);
  const [shouts, words, times] = [listen(shout), listen(room), listen(clock)];
  await opened(clock);
  assert.match(await times.next(), /^\d{4}-\d\d-\d\dT/);
  assert.match(await words.next(), /^Guest \w{4} came in$/);
  shout.send('hello');
  assert.equal(await shouts.next(), 'HELLO');
  room.send('hello');
  assert.match(await words.next(), /^Guest \w{4}: hello$/);
});

test('who leaves one channel is still in the others', async (t) => {
  const watcher = multiplexed(t, 'websocket').channel('room');
  const seen = listen(watcher);
  await opened(watcher);
  await seen.next();
  const client = multiplexed(t, 'websocket');
  const room = client.channel('room');
  const shout = client.channel('shout');
  const shouts = listen(shout);
  await opened(shout);
  assert.match(await seen.next(), /came in$/);
  room.close();
  assert.match(await seen.next(), /went out$/);
  shout.send('still here');
  assert.equal(await shouts.next(), 'STILL HERE');
});

interface Reading {
  readonly time: number;
  readonly routers: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

async function readings(client: Client): Promise<readonly Reading[]> {
  const parsed: unknown = JSON.parse(await client.messages.next());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the assertions below look at it
  return parsed as readonly Reading[];
}

test('the counters of all routers come at once, and then every second', async (t) => {
  await open(t, `${url}/echo`, { transports: 'websocket' });
  const clients = await Promise.all(
    TRANSPORTS.map((transports) => open(t, `${url}/stats`, { transports })),
  );
  for (const client of clients) {
    const past = await readings(client);
    assert.ok(past.length >= 1);
  }
  for (const client of clients) {
    const [first, ...others] = await readings(client);
    assert.ok(first !== undefined);
    assert.deepEqual(others, []);
    assert.deepEqual(Object.keys(first.routers), ['/echo', '/chat', '/multiplex', '/stats']);
    assert.ok((first.routers['/echo']?.['sessionsActive'] ?? 0) >= 1);
    assert.ok((first.routers['/stats']?.['sessionsActive'] ?? 0) >= TRANSPORTS.length);
    const [second] = await readings(client);
    assert.ok((second?.time ?? 0) - first.time > 900);
  }
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} tells every client and ends the site within two seconds`, async (t) => {
    const { program, port: own } = await start(t, 'index.ts');
    const services = ['echo', 'chat', 'multiplex', 'stats'].flatMap((service) =>
      TRANSPORTS.map((transports) => ({ service, transports })),
    );
    const clients = await Promise.all(
      services.map(({ service, transports }) =>
        open(t, `http://127.0.0.1:${own}/${service}`, { transports }),
      ),
    );
    await endsInTime(program, clients, () => {
      program.kill(signal);
      program.kill(signal); // As npm and the terminal do.
    });
  });
}

test('a client that never fetches its end does not hold up the site', async (t) => {
  const { program, port: own } = await start(t, 'index.ts');
  // Opens a session and does not poll again.
  const response = await fetch(`http://127.0.0.1:${own}/echo/000/lazy/xhr`, { method: 'POST' });
  assert.equal(await response.text(), 'o\n');
  const began = performance.now();
  program.kill('SIGINT');
  assert.deepEqual(await program.exited(), { code: 0, signal: null });
  const took = performance.now() - began;
  assert.ok(took < 2000, `${took} ms`);
});

test('a port in use is one line with a hint, and exit code 1', async () => {
  const second = new Program('index.ts', { PORT: String(port) });
  assert.deepEqual(await second.exited(), { code: 1, signal: null });
  assert.equal(
    second.stderr,
    `Port ${port} is in use; set PORT to another one, for example PORT=${port + 1} npm start\n`,
  );
  assert.equal(second.stdout, '');
});

for (const PORT of ['http', '-1', '65536', '80.5']) {
  test(`PORT=${PORT} is one line, and exit code 1`, async () => {
    const program = new Program('index.ts', { PORT });
    assert.deepEqual(await program.exited(), { code: 1, signal: null });
    assert.equal(program.stderr, `PORT must be a whole number from 0 to 65535, not '${PORT}'.\n`);
  });
}

test('the address is printed', () => {
  assert.equal(site.stdout, `Open http://localhost:${port}/ in a browser; Ctrl-C ends it.\n`);
});
