import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcEngine } from '../../src/backplane/ipc-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { cleanEnvironment } from '../../testkit/process.ts';
import { type EngineUnderTest, testContract } from './contract.ts';

/** Starts a hub in a child process, which takes the place of the primary process. */
async function startHub(): Promise<ChildProcess> {
  const hub = fork('test/backplane/ipc-hub-process.ts', { env: cleanEnvironment() });
  hub.setMaxListeners(0);
  await once(hub, 'message');
  return hub;
}

async function countRecords(hub: ChildProcess, namespace: string): Promise<number> {
  return new Promise((resolve) => {
    const listener = (message: object): void => {
      if (!('records' in message)) return;
      hub.off('message', listener);
      resolve(Number(message.records));
    };
    hub.on('message', listener);
    hub.send({ count: namespace });
  });
}

async function start(): Promise<EngineUnderTest> {
  const hub = await startHub();
  const faults = new EngineFaults();
  return {
    createEngine: async () => faults.wrap(new IpcEngine(hub)),
    freeze: async (ms) => {
      hub.kill('SIGSTOP');
      await sleep(ms);
      hub.kill('SIGCONT');
    },
    // A worker does not outlive its primary process, so that an outage is simulated.
    stop: async () => faults.cut(),
    start: () => faults.mend(),
    startEmpty: async () => {
      hub.send({ clear: true });
      await faults.mend();
    },
    deafen: async () => faults.deafen(),
    countRecords: (namespace) => countRecords(hub, namespace),
    close: async () => {
      hub.kill('SIGKILL');
      await once(hub, 'exit');
    },
  };
}

testContract('ipc', start);
