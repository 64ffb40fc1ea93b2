/** The demo site with the real sockjs-client: its services, its start and its shutdown. */
import assert from 'node:assert/strict';
import { type TestContext, after, test } from 'node:test';
import SockJS from 'sockjs-client';
import { type Channel, MultiplexClient } from 'sockjs-server/multiplex-client';
import { assertShutsDown, printedPort, runExample, startExample } from './example.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import {
  CLIENT_TRANSPORTS,
  type OfficialClient,
  openOfficial,
} from '../../testkit/official-client.ts';
import { testEach } from '../../testkit/node-test.ts';
import { within } from '../../testkit/until.ts';

const site = startExample('index.ts');
const port = await printedPort(site);
const url = `http://127.0.0.1:${port}`;

after(async () => {
  site.kill('SIGTERM');
  assert.deepEqual(await site.exited(), { code: 0, signal: null });
  assert.equal(site.stderr, '');
});

testEach(CLIENT_TRANSPORTS, 'the echo service returns messages', async (t, transports) => {
  const client = await openOfficial(t, `${url}/echo`, { transports });
  client.send('one', 'two');
  assert.deepEqual(await client.messages.take(2), ['one', 'two']);
});

async function nextNotice(client: OfficialClient): Promise<unknown> {
  const notice: unknown = JSON.parse(await client.messages.next());
  return notice;
}

/** Joins the chat and reads the notices of it. @returns the assigned name */
async function join(client: OfficialClient, name: string): Promise<unknown> {
  client.send(name);
  const welcome = await nextNotice(client);
  await nextNotice(client);
  assert.ok(typeof welcome === 'object' && welcome !== null && 'name' in welcome);
  return welcome.name;
}

test('the chat announces arrivals, messages and departures to everyone', async (t) => {
  const ann = await openOfficial(t, `${url}/chat`, { transports: 'websocket' });
  ann.send('Ann');
  assert.deepEqual(await nextNotice(ann), { type: 'welcome', name: 'Ann' });
  assert.deepEqual(await nextNotice(ann), { type: 'joined', name: 'Ann', people: ['Ann'] });

  const bob = await openOfficial(t, `${url}/chat`, { transports: 'xhr-polling' });
  bob.send('Bob');
  assert.deepEqual(await nextNotice(bob), { type: 'welcome', name: 'Bob' });
  const joined = { type: 'joined', name: 'Bob', people: ['Ann', 'Bob'] };
  assert.deepEqual(await nextNotice(ann), joined);
  assert.deepEqual(await nextNotice(bob), joined);

  bob.send('<b>hello</b>');
  const notice = { type: 'message', name: 'Bob', text: '<b>hello</b>' };
  assert.deepEqual(await nextNotice(ann), notice);
  assert.deepEqual(await nextNotice(bob), notice);

  ann.close();
  assert.deepEqual(await nextNotice(bob), { type: 'left', name: 'Ann', people: ['Bob'] });
});

test('the chat adds a number to a name that is in use', async (t) => {
  const first = await openOfficial(t, `${url}/chat`, { transports: 'websocket' });
  assert.equal(await join(first, 'Carl'), 'Carl');
  const second = await openOfficial(t, `${url}/chat`, { transports: 'websocket' });
  assert.equal(await join(second, 'Carl'), 'Carl 2');
});

for (const [wanted, name] of [
  ['  D \n\t D ', 'D D'],
  ['   ', 'Guest'],
  ['E'.repeat(100), 'E'.repeat(24)],
] as const) {
  test(`the chat changes the name ${JSON.stringify(wanted)} to ${JSON.stringify(name)}`, async (t) => {
    const client = await openOfficial(t, `${url}/chat`, { transports: 'websocket' });
    assert.equal(await join(client, wanted), name);
  });
}

test('the chat truncates a text at 500 characters', async (t) => {
  const client = await openOfficial(t, `${url}/chat`, { transports: 'websocket' });
  const name = await join(client, 'Fay');
  client.send('x'.repeat(501));
  assert.deepEqual(await nextNotice(client), { type: 'message', name, text: 'x'.repeat(500) });
});

test('the chat sends no notices to a client without a name', async (t) => {
  const unnamed = await openOfficial(t, `${url}/chat`, { transports: 'websocket' });
  const gus = await openOfficial(t, `${url}/chat`, { transports: 'websocket' });
  await join(gus, 'Gus');
  assert.equal(await join(unnamed, 'Hal'), 'Hal');
});

function messagesOf(channel: Channel): AsyncQueue<string> {
  const messages = new AsyncQueue<string>(`a message of ${channel.name}`);
  channel.addEventListener('message', (event) => {
    const data: unknown = Reflect.get(event, 'data');
    assert.ok(typeof data === 'string');
    messages.push(data);
  });
  return messages;
}

async function channelOpened(channel: Channel): Promise<void> {
  const event = new Promise<void>((resolve) => (channel.onopen = () => resolve()));
  await within(event, `the openOfficial event of ${channel.name}`);
}

function multiplexed(t: TestContext, transports: string): MultiplexClient {
  const socket = new SockJS(`${url}/multiplex`, undefined, { transports, timeout: 5000 });
  t.after(() => socket.close());
  return new MultiplexClient(socket);
}

testEach(CLIENT_TRANSPORTS, 'three channels share one connection', async (t, transports) => {
  const client = multiplexed(t, transports);
  const [shout, room, clock] = ['shout', 'room', 'clock'].map((name) => client.channel(name));
  assert.ok(shout !== undefined && room !== undefined && clock !== undefined);
  const [shouts, words, times] = [messagesOf(shout), messagesOf(room), messagesOf(clock)];
  await channelOpened(clock);
  assert.match(await times.next(), /^\d{4}-\d\d-\d\dT/);
  assert.match(await words.next(), /^Guest \w{4} came in$/);
  shout.send('hello');
  assert.equal(await shouts.next(), 'HELLO');
  room.send('hello');
  assert.match(await words.next(), /^Guest \w{4}: hello$/);
});

test('leaving one channel keeps the others open', async (t) => {
  const watcher = multiplexed(t, 'websocket').channel('room');
  const notices = messagesOf(watcher);
  await channelOpened(watcher);
  await notices.next();
  const client = multiplexed(t, 'websocket');
  const room = client.channel('room');
  const shout = client.channel('shout');
  const shouts = messagesOf(shout);
  await channelOpened(shout);
  assert.match(await notices.next(), /came in$/);
  room.close();
  assert.match(await notices.next(), /went out$/);
  shout.send('still here');
  assert.equal(await shouts.next(), 'STILL HERE');
});

interface Sample {
  readonly time: number;
  readonly routers: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

async function nextSamples(client: OfficialClient): Promise<readonly Sample[]> {
  const parsed: unknown = JSON.parse(await client.messages.next());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the assertions below check it
  return parsed as readonly Sample[];
}

test('the counters of all routers arrive on opening, and then every second', async (t) => {
  await openOfficial(t, `${url}/echo`, { transports: 'websocket' });
  const clients = await Promise.all(
    CLIENT_TRANSPORTS.map((transports) => openOfficial(t, `${url}/stats`, { transports })),
  );
  for (const client of clients) {
    const past = await nextSamples(client);
    assert.ok(past.length >= 1);
  }
  for (const client of clients) {
    const [first, ...others] = await nextSamples(client);
    assert.ok(first !== undefined);
    assert.deepEqual(others, []);
    assert.deepEqual(Object.keys(first.routers), ['/echo', '/chat', '/multiplex', '/stats']);
    assert.ok((first.routers['/echo']?.['sessionsActive'] ?? 0) >= 1);
    assert.ok((first.routers['/stats']?.['sessionsActive'] ?? 0) >= CLIENT_TRANSPORTS.length);
    const [second] = await nextSamples(client);
    assert.ok((second?.time ?? 0) - first.time > 900);
  }
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} closes every session and ends the site within 2 s`, async (t) => {
    const { program, port: own } = await runExample(t, 'index.ts');
    const services = ['echo', 'chat', 'multiplex', 'stats'].flatMap((service) =>
      CLIENT_TRANSPORTS.map((transports) => ({ service, transports })),
    );
    const clients = await Promise.all(
      services.map(({ service, transports }) =>
        openOfficial(t, `http://127.0.0.1:${own}/${service}`, { transports }),
      ),
    );
    await assertShutsDown(program, clients, () => {
      program.kill(signal);
      program.kill(signal); // npm and the terminal both send one.
    });
  });
}

test('a polling client that does not return does not delay shutdown', async (t) => {
  const { program, port: own } = await runExample(t, 'index.ts');
  // Opens a session and does not poll again.
  const response = await fetch(`http://127.0.0.1:${own}/echo/000/lazy/xhr`, { method: 'POST' });
  assert.equal(await response.text(), 'o\n');
  const start = performance.now();
  program.kill('SIGINT');
  assert.deepEqual(await program.exited(), { code: 0, signal: null });
  const duration = performance.now() - start;
  assert.ok(duration < 2000, `${duration} ms`);
});

test('a port in use prints one line with a hint, and exits with code 1', async () => {
  const second = startExample('index.ts', { PORT: String(port) });
  assert.deepEqual(await second.exited(), { code: 1, signal: null });
  assert.equal(
    second.stderr,
    `Port ${port} is in use. Choose another one, for example PORT=${port + 1} npm start, or --port ${port + 1} with npx.\n`,
  );
  assert.equal(second.stdout, '');
});

for (const PORT of ['http', '-1', '65536', '80.5']) {
  test(`PORT=${PORT} prints one line, and exits with code 1`, async () => {
    const program = startExample('index.ts', { PORT });
    assert.deepEqual(await program.exited(), { code: 1, signal: null });
    assert.equal(program.stderr, `PORT must be a whole number from 0 to 65535, not '${PORT}'.\n`);
  });
}

test('the address is printed', () => {
  assert.equal(site.stdout, `Open http://localhost:${port}/ in a browser; Ctrl-C ends it.\n`);
});
