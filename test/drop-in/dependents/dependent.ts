/**
 * Programs that use npm `sockjs`, each in its own process, which has either the original package or the drop-in.
 * `dist/` has to be built.
 */
import assert from 'node:assert/strict';
import type { Serializable } from 'node:child_process';
import { Program } from '../../../testkit/process.ts';
import type { TestScope } from '../../../testkit/scope.ts';

export const IMPLEMENTATIONS = ['sockjs', 'sockjs-server-drop-in'] as const;
export type Implementation = (typeof IMPLEMENTATIONS)[number];

const USE_DROP_IN = new URL('use-drop-in.ts', import.meta.url).href;

export class Dependent {
  readonly #program: Program;
  readonly port: number;

  constructor(program: Program, port: number) {
    this.#program = program;
    this.port = port;
  }

  /** Waits for the next event that the program reports. */
  async next(): Promise<unknown> {
    return this.#program.nextMessage();
  }

  /** Runs a command of the program, by its name. */
  command(...command: Serializable[]): void {
    this.#program.send(command);
  }
}

/** Starts a program of `programs/`. At the end of the test, the program must have printed nothing. */
export async function startDependent(
  scope: TestScope,
  implementation: Implementation,
  name: string,
  ...args: readonly string[]
): Promise<Dependent> {
  const file = new URL(`programs/${name}.cjs`, import.meta.url).pathname;
  const hooks = implementation === 'sockjs' ? [] : ['--import', USE_DROP_IN];
  const program = new Program(process.execPath, [...hooks, file, ...args], { ipc: true });
  scope.after(async () => {
    await program.stop();
    assert.equal(program.output, '');
  });
  const port = await program.nextMessage();
  assert.ok(typeof port === 'number');
  return new Dependent(program, port);
}
