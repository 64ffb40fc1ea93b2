/** Programs that tests start: each is ended by its own process id, and what it printed explains a failure. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const PATIENCE = 30_000;
const GRACE = 5000;
const INTERVAL = 20;

/** What a program needs of our environment, and nothing that the test runner wrote there for its own. */
const ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: [process.env['PATH'] ?? '', '/usr/sbin', '/usr/local/sbin'].join(delimiter),
  LANG: 'C.UTF-8',
};

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'sockjs-proxies-'));
}

export async function removed(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, INTERVAL));
}

async function answers(port: number): Promise<boolean> {
  const socket: Socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export class Program {
  readonly #command: string;
  readonly #child: ChildProcess;
  #printed = '';

  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.#command = command;
    this.#child = spawn(command, args, {
      env: { ...ENVIRONMENT, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (text: string): void => {
      this.#printed += text;
    };
    this.#child.stdout?.setEncoding('utf8').on('data', keep);
    this.#child.stderr?.setEncoding('utf8').on('data', keep);
    this.#child.on('error', (error) => keep(error.message));
  }

  get printed(): string {
    return this.#printed;
  }

  /** Waits until the program listens on all these ports. */
  async listens(...ports: readonly number[]): Promise<this> {
    const end = performance.now() + PATIENCE;
    for (const port of ports) {
      while (!(await answers(port))) {
        if (hasEnded(this.#child) || this.#child.pid === undefined || performance.now() > end) {
          await this.stop();
          throw new Error(`${this.#command} does not listen on ${port}:\n${this.#printed}`);
        }
        await pause();
      }
    }
    return this;
  }

  /** Waits until the program has printed this. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    const end = performance.now() + PATIENCE;
    for (;;) {
      const match = pattern.exec(this.#printed);
      if (match !== null) return match;
      if (hasEnded(this.#child) || performance.now() > end) {
        await this.stop();
        throw new Error(`${this.#command} does not print ${pattern}:\n${this.#printed}`);
      }
      await pause();
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.pid === undefined || hasEnded(this.#child)) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), GRACE);
    await exited;
    clearTimeout(timer);
  }
}
