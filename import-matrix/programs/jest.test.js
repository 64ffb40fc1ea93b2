/** Copied beside a program that was compiled to CommonJS, and run by Jest unchanged. */
const events = require('node:events');
const { SockJSConnection, SockJSRouter } = require('sockjs-server');
const { exercise } = require('./program.js');

class Echo extends SockJSConnection {
  onMessage(message) {
    this.send(message);
  }
}

test('a class that extends SockJSConnection serves /echo/info', async () => {
  const router = new SockJSRouter(Echo, '/echo');
  const server = router.listen(0, '127.0.0.1');
  await events.once(server, 'listening');
  const response = await fetch(`http://127.0.0.1:${server.address().port}/echo/info`);
  expect((await response.json()).websocket).toBe(true);
  await router.close();
  expect(server.listening).toBe(false);
});

test('every entry of the package works', exercise);
