/** Calls of a worker whose results are lost, because its channel was full. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { FromHub, IpcProcess, ToHub } from '../../src/backplane/ipc-channel.ts';
import { IpcEngine } from '../../src/backplane/ipc-engine.ts';
import { NO_ENGINE_LISTENER } from '../../src/backplane/engine.ts';

/** A hub that returns undefined for every call, while it responds. */
class Hub extends EventEmitter implements IpcProcess {
  responds = true;

  send(message: ToHub | FromHub, callback: (error: Error | null) => void): boolean {
    queueMicrotask(() => {
      callback(null);
      if (message.sockjsHub !== 'call' || !this.responds) return;
      const { client, id } = message;
      this.emit('message', { sockjsHub: 'result', client, id } satisfies Partial<FromHub>);
    });
    return true;
  }
}

test('a worker makes further calls after 10,000 whose results are lost', async () => {
  const hub = new Hub();
  const engine = new IpcEngine(hub);
  await engine.connect('test', NO_ENGINE_LISTENER);
  hub.responds = false;
  const lost = Array.from({ length: 10_000 }, () => engine.read('claim', 'key'));
  const outcomes = Promise.allSettled(lost);
  await new Promise(setImmediate);
  hub.responds = true;
  assert.equal(await engine.read('claim', 'key'), undefined);
  await engine.close();
  const rejected = (await outcomes).filter(({ status }) => status === 'rejected');
  assert.equal(rejected.length, lost.length);
});
