/** `npx sockjs-server migrate` of the packed package: programs for npm `sockjs` run on it afterwards. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, after, before, test } from 'node:test';
import { openOfficial } from '../../testkit/official-client.ts';
import { temporaryDirectory } from '../../testkit/process.ts';
import { ROOT, createProject, installNode, pack, run, startServing } from './project.ts';

const ECHO = `
const echo = sockjs.createServer({ prefix: '/echo', log: () => {} });
echo.on('connection', (conn) => conn.on('data', (text) => conn.write(text)));
`;
const SERVER =
  'const server = http.createServer();\necho.installHandlers(server);\nserver.listen(9999);\n';

/** Programs that end with the echo server. */
const PROGRAMS = {
  'required.cjs': `const http = require('http');\nconst sockjs = require('sockjs');${ECHO}${SERVER}`,
  'imported.mjs': `import http from 'node:http';\nimport sockjs from 'sockjs';${ECHO}${SERVER}`,
  'named.mjs': `import http from 'node:http';\nimport { createServer } from 'sockjs';\nconst sockjs = { createServer };${ECHO}${SERVER}`,
  're-exported.mjs': `import http from 'node:http';\nimport * as sockjs from './re-export.mjs';${ECHO}${SERVER}`,
  'dynamic.mjs': `import http from 'node:http';\nconst sockjs = await import('sockjs');${ECHO}${SERVER}`,
  'minified.cjs': `var a=require("http").createServer(),b=require("sockjs").createServer({prefix:"/echo",log:function(){}});b.on("connection",function(c){c.on("data",function(d){c.write(d)})}),b.installHandlers(a),a.listen(9999)`,
  'shell.cjs': `\ufeff#!/usr/bin/env node\r\nconst http = require('http');\r\nconst { Session } = require('sockjs/lib/transport');\r\nconst { decorateConnection } = Session.prototype;\r\nSession.prototype.decorateConnection = function (...args) {\r\n  decorateConnection.apply(this, args);\r\n  this.connection.marked = true;\r\n};\r\nconst sockjs = require('sockjs');${ECHO.replace('conn.write(text)', 'conn.write(conn.marked ? text : "")')}${SERVER}`,
  'typed.cts': `import http = require('http');\nimport sockjs = require('sockjs');\nimport type { Connection, Server } from 'sockjs';\nconst echo: Server = sockjs.createServer({ prefix: '/echo', log: () => {} });\necho.on('connection', (conn: Connection) => conn.on('data', (text: string) => conn.write(text)));\n${SERVER}`,
} as const;

const directory = await temporaryDirectory({ after });

async function migrate(): Promise<string> {
  const command = join(directory, 'node_modules', 'sockjs-server', 'dist', 'command', 'index.mjs');
  return (await run(directory, await installNode('20.19'), command, 'migrate', '--write')).stdout;
}

before(async () => {
  await createProject(directory, await pack(directory), '@types/node@24');
  await writeFile(join(directory, 're-export.mjs'), "export * from 'sockjs';\n");
  for (const [name, source] of Object.entries(PROGRAMS))
    await writeFile(join(directory, name), source);
  const report = await migrate();
  assert.match(report, /^10 module names in 8 files rewritten, 0 lines to check\.$/m);
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--strict', '--module', 'nodenext', '--types', 'node'];
  await run(directory, process.execPath, tsc, ...options, 'typed.cts');
});

async function assertEchoes(t: TestContext, file: string): Promise<void> {
  const program = await startServing(file);
  t.after(() => program.stop());
  for (const transports of ['websocket', 'xhr-polling'] as const) {
    const client = await openOfficial(t, `http://127.0.0.1:${program.port}/echo`, { transports });
    client.send('hello');
    assert.equal(await client.messages.next(), 'hello');
    client.close();
  }
}

for (const name of Object.keys(PROGRAMS)) {
  test(`${name} runs after the migration`, async (t) => {
    await assertEchoes(t, join(directory, name.replace('.cts', '.cjs')));
  });
}

test('a second migration changes nothing', async () => {
  assert.match(await migrate(), /^0 module names in 0 files rewritten, 0 lines to check\.$/m);
});
