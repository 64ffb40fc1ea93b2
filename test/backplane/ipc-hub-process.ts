/** A hub for the tests of the IPC engine, in a process that they can stop. */
import { IpcHub } from '../../src/backplane/ipc-hub.ts';
import { MemoryHub } from '../../src/backplane/memory-engine.ts';

const memory = new MemoryHub();
const hub = new IpcHub(memory);
hub.attach(process);

function count(namespace: string): number {
  const keys = [...memory.records.keys(), ...memory.members.keys(), ...memory.fields.keys()];
  const own = keys.filter((key) => key.startsWith(`${namespace} `));
  return own.filter((key) => !key.startsWith(`${namespace} cluster `)).length;
}

process.on('message', (message: object) => {
  if ('clear' in message) memory.clear();
  if ('count' in message) process.send?.({ records: count(String(message.count)) });
});
process.send?.('started');
