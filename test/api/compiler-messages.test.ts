/** Messages of the TypeScript compiler for mistakes in calls. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const PROGRAM = `import { SockJSConnection, SockJSRouter } from 'sockjs-server';
class Logging extends SockJSConnection {
  override send(message: string): boolean {
    return super.send(message);
  }
}
class Chat extends SockJSConnection {
  override onMessage(text: string): void {
    this.send(text);
    this.send(Buffer.from(text));
    this.send({ text });
    this.broadcast(text);
  }
  forward<T extends string | Uint8Array>(message: T): void {
    this.send(message);
  }
}
export const router = new SockJSRouter(Chat, '/chat', { allowedOrigin: ['https://a.com'] });
export const sender: (text: string) => boolean = new Logging().send;
`;

test('wrong calls give readable messages, and right ones none', (t) => {
  const folder = mkdtempSync(join(process.cwd(), 'test', 'compiler-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'chat.ts'), PROGRAM);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'] }),
  );
  const compiler = 'node_modules/typescript/bin/tsc';
  const { stdout } = spawnSync(process.execPath, [compiler, '--pretty', 'false', '-p', folder], {
    encoding: 'utf8',
  });
  const messages = stdout.split(/^\S*chat\.ts\((\d+),\d+\): error /m).slice(1);
  const byLine = new Map<string, string>();
  for (let index = 0; index < messages.length; index += 2)
    byLine.set(messages[index] ?? '', messages[index + 1] ?? '');
  assert.deepEqual([...byLine.keys()], ['11', '12', '18'], stdout);
  assert.match(
    byLine.get('11') ?? '',
    /'"send\(\) takes a string or bytes\. Use JSON\.stringify for other values\."'\.\s*$/,
  );
  assert.doesNotMatch(byLine.get('11') ?? '', /Uint8Array/);
  assert.match(byLine.get('12') ?? '', /Expected 2 arguments, but got 1/);
  assert.match(
    byLine.get('18') ?? '',
    /Did you mean to write 'allowedOrigins'\?|'allowedOrigin' does not exist/,
  );
});
