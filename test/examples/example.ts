/** An example as its reader would start it: a process of its own, on a port that it chooses and prints. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { type Client, within } from '../support/client.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly #child: ChildProcess;
  readonly #exited: Promise<Exit>;
  #stdout = '';
  #stderr = '';

  /** @param file below `examples/` */
  constructor(file: string, environment: NodeJS.ProcessEnv = {}) {
    // Not the whole environment: what the test runner tells its own children is not for this one.
    this.#child = spawn(process.execPath, [`examples/${file}`], {
      env: { PATH: process.env['PATH'], PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#exited = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => resolve({ code, signal }));
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The port that the program prints, or has printed. */
  async port(): Promise<number> {
    const printed = new Promise<number>((resolve, reject) => {
      const look = (): void => {
        const [, port] = /(?:localhost:|0\.1:|port: )(\d+)/.exec(this.#stdout) ?? [];
        if (port !== undefined) resolve(Number(port));
      };
      look();
      this.#child.stdout?.on('data', look);
      void this.#exited.then(() => reject(new Error(`It ended: ${this.#stderr}`)));
    });
    return within(printed, 'the address');
  }

  exited(): Promise<Exit> {
    return within(this.#exited, 'the end of the process');
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Tells a program to end: within two seconds it does, and all of its clients have been told. */
export async function endsInTime(
  program: Program,
  clients: readonly Client[],
  tellToEnd: () => void,
): Promise<void> {
  const began = performance.now();
  tellToEnd();
  // Only comes when nobody has the program's output open any more.
  assert.deepEqual(await program.exited(), { code: 0, signal: null });
  const took = performance.now() - began;
  assert.ok(took < 2000, `${took} ms`);
  for (const client of clients) {
    const { code, reason } = await client.closings.next();
    assert.deepEqual({ code, reason }, { code: 1001, reason: 'Server is going away' });
  }
}

/** Starts an example that is ended with its test, and must not have complained until then. */
export async function start(
  t: TestContext,
  file: string,
  environment?: NodeJS.ProcessEnv,
): Promise<{ program: Program; port: number }> {
  const program = new Program(file, environment);
  t.after(async () => {
    program.kill('SIGKILL');
    await program.exited();
    assert.equal(program.stderr, '');
  });
  return { program, port: await program.port() };
}
