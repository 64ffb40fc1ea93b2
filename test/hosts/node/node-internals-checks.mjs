/// <reference types="node" />
/**
 * Checks of `node-internals.ts` that run on every supported Node line: in `node-internals.test.ts`, and as a program.
 * Plain JavaScript without dependencies, since old lines do not run TypeScript.
 *
 * Usage: node node-internals-checks.mjs PATH, with the path of the compiled module.
 */
/* oxlint-disable typescript/no-unsafe-argument, typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-return -- plain JavaScript has no types */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Server, createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const TIMEOUT_MS = 10_000;

/** Waits for a condition that no event announces. */
async function until(condition, awaited) {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `timed out waiting for ${awaited}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}

/** Waits for an event. */
function nextEvent(emitter, name) {
  return once(emitter, name, { signal: AbortSignal.timeout(TIMEOUT_MS) });
}

/** Collects the text that a socket receives. */
class Client {
  text = '';
  hasEnded = false;
  hasClosed = false;

  constructor(port) {
    // Half open: the server has to close the connection by itself.
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (data) => {
      this.text += data;
    });
    this.socket.on('end', () => {
      this.hasEnded = true;
    });
    this.socket.on('close', () => {
      this.hasClosed = true;
    });
    this.socket.on('error', () => {});
  }

  send(...lines) {
    this.socket.write([...lines, '', ''].join('\r\n'));
  }

  async receives(text) {
    await until(() => this.text.includes(text), `${JSON.stringify(text)} in ${this.text}`);
  }
}

const PLAIN = ['GET /plain HTTP/1.1', 'Host: a'];
const UPGRADE = ['GET /upgrade HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: test'];

/** Runs `use` with a client of a server, and closes both. */
async function withServer(server, use) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await nextEvent(server, 'listening');
  const client = new Client(server.address().port);
  try {
    await use(client, () => [...sockets][0]);
  } finally {
    client.socket.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
    await nextEvent(server, 'close');
  }
}

/** Runs `use` with a client, and with the request, socket and head of the upgrade that it sends. */
async function withUpgrade(server, use) {
  await withServer(server, async (client) => {
    const upgraded = nextEvent(server, 'upgrade');
    client.send(...UPGRADE);
    const [request, socket, head] = await upgraded;
    socket.on('error', () => {});
    await use({ client, request, socket, head });
  });
}

export const CHECKS = {
  'hasPendingResponse is false for the first request of a connection': async (internals) => {
    await withUpgrade(createServer(), ({ request }) => {
      assert.equal(internals.hasPendingResponse(request), false);
    });
  },

  'hasPendingResponse is false once the response before has finished': async (internals) => {
    const server = createServer((_request, response) => response.end('done'));
    await withServer(server, async (client) => {
      client.send(...PLAIN);
      await client.receives('done');
      const upgraded = nextEvent(server, 'upgrade');
      client.send(...UPGRADE);
      const [request] = await upgraded;
      assert.equal(internals.hasPendingResponse(request), false);
    });
  },

  'hasPendingResponse is true behind a response that has not finished': async (internals) => {
    let pending;
    const server = createServer((_request, response) => {
      pending = response;
    });
    await withServer(server, async (client) => {
      client.send(...PLAIN);
      await until(() => pending !== undefined, 'the first request');
      const upgraded = nextEvent(server, 'upgrade');
      client.send(...UPGRADE);
      const [request] = await upgraded;
      assert.equal(internals.hasPendingResponse(request), true);
    });
  },

  'createResponse responds on an upgraded socket and closes the connection': async (internals) => {
    await withUpgrade(createServer(), async ({ client, request, socket }) => {
      const response = internals.createResponse(request);
      const finished = nextEvent(response, 'finish');
      response.writeHead(403, { 'Content-Length': 2 });
      response.end('no');
      await finished;
      await until(() => client.hasEnded, 'the end of the connection');
      assert.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n/);
      assert.match(client.text, /\r\nConnection: close\r\n/i);
      assert.match(client.text, /\r\n\r\nno$/);
      // The client has not ended its side.
      await until(() => socket.destroyed, 'the close of the socket');
    });
  },

  'createResponse forwards drain, and delivers all bytes': async (internals) => {
    await withUpgrade(createServer(), async ({ client, request }) => {
      const response = internals.createResponse(request);
      const size = 16 * 1024 * 1024;
      client.socket.pause();
      response.writeHead(200, { 'Content-Length': size });
      assert.equal(response.write('x'.repeat(size - 1)), false);
      const drained = nextEvent(response, 'drain');
      client.socket.resume();
      await drained;
      assert.equal(response.writableNeedDrain, false);
      response.end('y');
      await until(() => client.hasEnded, 'the end of the connection');
      const body = client.text.slice(client.text.indexOf('\r\n\r\n') + 4);
      assert.ok(body.length === size && body.endsWith('xy'));
    });
  },

  'createResponse reports a client that disconnects': async (internals) => {
    for (const end of ['end', 'resetAndDestroy']) {
      await withUpgrade(createServer(), async ({ client, request }) => {
        const response = internals.createResponse(request);
        response.writeHead(200);
        response.write('part');
        await client.receives('part');
        const closed = nextEvent(response, 'close');
        client.socket[end]();
        await closed;
        assert.equal(response.writableFinished, false);
      });
    }
  },

  'createResponse ignores further input of the client': async (internals) => {
    await withUpgrade(createServer(), async ({ client, request }) => {
      const response = internals.createResponse(request);
      client.socket.write('x'.repeat(1024 * 1024));
      response.end('done');
      await until(() => client.hasEnded || client.hasClosed, 'the end of the connection');
    });
  },

  'isChunked follows the head of the response': async (internals) => {
    for (const { line, headers, expected } of [
      { line: 'GET / HTTP/1.1', headers: {}, expected: true },
      { line: 'GET / HTTP/1.1', headers: { 'Content-Length': 1 }, expected: false },
      { line: 'GET / HTTP/1.0', headers: {}, expected: false },
    ]) {
      let chunked;
      const server = createServer((_request, response) => {
        response.writeHead(200, headers);
        response.write('x');
        chunked = internals.isChunked(response);
        response.end();
      });
      await withServer(server, async (client) => {
        client.send(line, 'Host: a');
        await client.receives('\r\n\r\n');
      });
      assert.equal(chunked, expected);
    }
  },

  'freeHead frees the head of a response that goes on': async (internals) => {
    let taken;
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'X-Long': 'x'.repeat(1000) });
      taken = new Promise((resolve) => {
        response.write('first', () => {
          assert.ok(Reflect.get(response, '_header').includes('X-Long'));
          internals.freeHead(response);
          resolve(response);
        });
      });
    });
    await withServer(server, async (client) => {
      client.send(...PLAIN);
      await client.receives('first');
      const response = await taken;
      assert.ok(Reflect.get(response, '_header').length < 10);
      assert.equal(response.headersSent, true);
      assert.equal(response.statusCode, 200);
      assert.throws(() => response.writeHead(500), { code: 'ERR_HTTP_HEADERS_SENT' });
      response.write('second');
      response.end('third');
      await client.receives('third\r\n0\r\n\r\n');
      assert.ok(client.text.includes('second'));
      assert.equal(client.text.split('HTTP/1.1').length, 2);
      // The connection serves another request.
      client.send(...PLAIN);
      await until(() => client.text.split('HTTP/1.1').length === 3, 'the next response');
    });
  },

  'bytesTaken counts parts of a write that has not finished': async (internals) => {
    await withServer(createTcpServer(), async (client, serverSocket) => {
      await until(() => serverSocket() !== undefined, 'the connection');
      client.socket.pause();
      const socket = serverSocket();
      const size = 64 * 1024 * 1024;
      let isWritten = false;
      socket.write(Buffer.alloc(size, 'x'), () => {
        isWritten = true;
      });
      const first = internals.bytesTaken(socket);
      assert.ok(first > 0 && first < size, `${first} bytes of ${size}`);
      client.socket.resume();
      await until(() => internals.bytesTaken(socket) > first || isWritten, 'progress');
      client.socket.pause();
      assert.equal(isWritten, false);
      client.socket.resume();
      await until(() => isWritten, 'the end of the write');
      assert.equal(internals.bytesTaken(socket), size);
    });
  },

  'bytesTaken counts the bytes of a destroyed socket': async (internals) => {
    await withServer(createTcpServer(), async (client, serverSocket) => {
      await until(() => serverSocket() !== undefined, 'the connection');
      const socket = serverSocket();
      assert.equal(internals.bytesTaken(socket), 0);
      socket.write('four');
      await client.receives('four');
      socket.destroy();
      assert.equal(internals.bytesTaken(socket), 4);
    });
  },

  'serveConnection parses a connection again': async (internals) => {
    const urls = [];
    const server = createServer((request, response) => {
      urls.push(request.url);
      response.end(`own ${request.url};`);
    });
    let connections = 0;
    server.on('connection', () => {
      connections += 1;
    });
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {});
      const plain = `GET ${request.url}/again HTTP/1.1\r\nHost: a\r\n\r\n`;
      socket.unshift(Buffer.concat([Buffer.from(plain), head]));
      internals.serveConnection(server, socket);
    });
    await withServer(server, async (client) => {
      for (let count = 1; count <= 3; count += 1) {
        client.text = '';
        client.send(...UPGRADE);
        await client.receives('own /upgrade/again;');
        client.send(...PLAIN);
        await client.receives('own /plain;');
      }
      client.text = '';
      client.socket.write([...UPGRADE, '', PLAIN[0], PLAIN[1], '', ''].join('\r\n'));
      await client.receives('own /plain;');
    });
    assert.equal(connections, 1, 'the application gets one connection event');
    assert.equal(urls.length, 8);
  },

  'forceUpgrades makes Node emit upgrades without a listener': async (internals) => {
    const server = createServer((_request, response) => response.end('plain'));
    const forced = internals.forceUpgrades(server, () => false);
    assert.equal(forced.hasListener(), false);
    const emit = server.emit.bind(server);
    server.emit = (event, ...args) => {
      if (event === 'upgrade') args[1].write('upgraded');
      return emit(event, ...args);
    };
    await withServer(server, async (client) => {
      client.send(...UPGRADE);
      await client.receives('upgraded');
    });
    server.on('upgrade', () => {});
    assert.equal(forced.hasListener(), true);
    server.removeAllListeners('upgrade');
    forced.restore();
    assert.equal(server.listenerCount('upgrade'), 0);
    await withServer(server, async (client) => {
      client.send(...UPGRADE);
      await client.receives('plain');
    });
  },

  'forceUpgrades emits upgrades that the application rejects': async (internals) => {
    // Without the option, which is new in Node 24.9, every upgrade is emitted.
    const server = createServer({ shouldUpgradeCallback: () => false });
    internals.forceUpgrades(server, (request) => request.url === '/upgrade');
    await withUpgrade(server, ({ request }) => assert.equal(request.url, '/upgrade'));
  },

  'emitToTracer handles an event within a replaced emit of the prototype': (internals) => {
    const calls = [];
    const server = new (class extends Server {
      emit(event, ...args) {
        calls.push('tracer');
        return super.emit(event, ...args);
      }
    })();
    server.on('request', () => calls.push('application'));
    calls.length = 0;
    const emit = internals.tracingEmit(server);
    internals.emitToTracer(emit, server, 'request', [], () => calls.push('router'));
    assert.deepEqual(calls, ['tracer', 'router']);
    server.emit('request');
    assert.deepEqual(calls, ['tracer', 'router', 'tracer', 'application']);
    assert.equal(internals.tracingEmit(createServer()), undefined);
  },

  'the number of chunks that a stream holds is known': (internals) => {
    const stream = new Readable({ read() {} });
    assert.equal(internals.chunksBuffered(stream), 0);
    for (const chunk of ['a', 'b', 'c']) stream.push(chunk);
    assert.equal(internals.chunksBuffered(stream), 3);
    assert.equal(String(stream.read(1)), 'a');
    assert.equal(internals.chunksBuffered(stream), 2);
    while (stream.read() !== null);
    assert.equal(internals.chunksBuffered(stream), 0);
  },
};

const [, , path] = process.argv;
if (process.argv[1] === import.meta.filename && path !== undefined) {
  const internals = await import(pathToFileURL(path).href);
  for (const [title, check] of Object.entries(CHECKS)) {
    try {
      await check(internals);
    } catch (error) {
      throw new Error(title, { cause: error });
    }
  }
  process.stdout.write(`ok ${process.version}\n`);
}
