import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryEngine, MemoryHub } from '../../src/backplane/memory-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { type EngineUnderTest, testContract } from './contract.ts';

async function start(): Promise<EngineUnderTest> {
  const hub = new MemoryHub();
  const faults = new EngineFaults();
  return {
    createEngine: async () => faults.wrap(new MemoryEngine(hub)),
    freeze: async (ms) => {
      faults.freeze();
      await sleep(ms);
      faults.thaw();
    },
    stop: async () => faults.cut(),
    start: async () => faults.mend(),
    startEmpty: async () => {
      hub.clear();
      await faults.mend();
    },
    deafen: async () => faults.deafen(),
    countRecords: async (namespace) =>
      [...hub.records.keys(), ...hub.members.keys(), ...hub.fields.keys()].filter(
        (key) => key.startsWith(`${namespace} `) && !key.startsWith(`${namespace} cluster `),
      ).length,
    close: async () => {},
  };
}

testContract('memory', start);
