/** Messages of the browser client over each transport against the real server. */
import assert from 'node:assert/strict';
import { TEXTS } from '../../e2e/browsers/texts.ts';
import { BROWSER_TRANSPORTS, openClient } from '../../testkit/browser-client.ts';
import { testEach } from '../../testkit/node-test.ts';
import { startRouter } from '../../testkit/server.ts';

testEach(
  BROWSER_TRANSPORTS,
  'every character, lone surrogates and 500 messages pass both ways in order',
  async (t, transport) => {
    const { url } = await startRouter(t);
    const client = await openClient(t, url, { transports: [transport] });
    assert.equal(client.socket.transport, transport);
    const texts = [...TEXTS.texts, ...TEXTS.numbers];
    for (const text of texts) assert.ok(client.socket.send(text));
    assert.deepEqual(await client.messages.take(texts.length), texts);
    assert.equal(client.socket.bufferedAmount, 0);
  },
);

testEach(BROWSER_TRANSPORTS, 'messages of 1 MiB pass both ways', async (t, transport) => {
  const { url } = await startRouter(t);
  const client = await openClient(t, url, { transports: [transport] });
  const texts = ['a', 'ä', '\u0000'].map((character) => {
    return character.repeat(2 ** 20 / (character === 'ä' ? 2 : character === '\0' ? 8 : 1));
  });
  for (const text of texts) assert.ok(client.socket.send(text));
  for (const text of texts) assert.ok((await client.next()) === text);
});
