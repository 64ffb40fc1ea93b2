/**
 * Server of the probe in `runtimes.test.ts`. Each runtime runs it in a project with nothing but the package, so it is
 * plain JavaScript. It prints one line for each event. SIGTERM closes the routers, after which the process has to end
 * by itself.
 */
/* oxlint-disable typescript/no-unsafe-argument, typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-return -- plain JavaScript has no types */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Refusal, SockJSConnection, SockJSRouter } from 'sockjs-server';
import { createServer as createSockJSServer } from 'sockjs-server/sockjs';

const MESSAGE_BYTES = 65_536;
const FLOOD_BYTES = 2 ** 29;

const INITIAL_RSS = process.memoryUsage().rss;

/** Returns a message that shares its memory with no other. */
function createMessage(number = 0) {
  return Buffer.alloc(MESSAGE_BYTES, `x${number} `).toString('latin1');
}

function print(...words) {
  process.stdout.write(`${words.join(' ')}\n`);
}

class Echo extends SockJSConnection {
  get name() {
    return this.info.getArgument('name');
  }

  onMessage(message) {
    if (message === 'close') this.close(4000, 'as requested');
    else if (message === 'fill') return this.fill();
    else if (message === 'flood') return this.flood();
    else if (message === 'stall') return this.stall();
    else this.send(message);
    return undefined;
  }

  onBinary(data) {
    this.send(data);
  }

  onClose(code, reason) {
    print('closed', this.name, code, reason);
  }

  /** Sends until the buffers of the system are full, and reports when the client keeps up again. */
  async fill() {
    // `send` is false in the turn of a long message. It stays behind only if the system does not take it either.
    while (this.send(createMessage()) || (await Promise.race([this.drained(), delay(200, false)])));
    print('behind', this.name);
    this.send(`drained: ${await this.drained()}`);
  }

  /** Sends until the connection closes. */
  async stall() {
    while (!this.isClosed) {
      this.send(createMessage());
      await delay(10);
    }
  }

  /** Sends `FLOOD_BYTES`, and prints how many bytes that were, and how much the memory has grown since the start. */
  async flood() {
    let sent = 0;
    let highest = 0;
    while (sent < FLOOD_BYTES && !this.isClosed) {
      for (const end = sent + 2 ** 20; sent < end; sent += MESSAGE_BYTES) {
        this.send(createMessage(sent));
      }
      await delay(1);
      highest = Math.max(highest, process.memoryUsage().rss);
    }
    print('flooded', this.name, sent, highest - INITIAL_RSS);
    this.send('end');
  }
}

const SLOW = {
  maxBufferedBytes: 2 ** 20,
  slowConsumer: 'drop-oldest',
  // One response for all frames, since a client that does not read sends no further request.
  responseLimit: 2 ** 30,
};

const server = createServer((_request, response) => response.end('application'));

const http2Server = createHttp2Server({ settings: { enableConnectProtocol: true } });

const routers = [
  new SockJSRouter(Echo, '/echo', { maxMessageBytes: 100_000 }),
  new SockJSRouter(Echo, '/slow', SLOW),
  new SockJSRouter(Echo, '/stalling', { ...SLOW, writeTimeout: 1000 }),
  new SockJSRouter(Echo, '/compressed', { compression: { threshold: 0 } }),
  new SockJSRouter(Echo, '/private', {
    authorize: async (request) => {
      await delay(20);
      return request.getArgument('token') === 'secret' ? 'Ada' : new Refusal(401, 'Please log in.');
    },
  }),
];
for (const router of routers) router.attach(server).attach(http2Server);

const service = createSockJSServer({ prefix: '/drop-in', log() {} });
service.on('connection', (connection) => {
  connection.on('data', (message) => connection.write(message));
});
// Apart, since its listeners would also handle the upgrades that nobody else handles.
const dropIn = createServer({ requestTimeout: 1000, connectionsCheckingInterval: 100 });
service.installHandlers(dropIn);

const servers = [server, dropIn, http2Server];

async function close() {
  await Promise.all([...routers, service].map((router) => router.close()));
  for (const each of servers) each.close();
  print('closed all');
}

process.once('SIGTERM', () => void close());

await Promise.all(servers.map((each) => once(each.listen(0, '127.0.0.1'), 'listening')));
print('ports', ...servers.map((each) => each.address().port));
