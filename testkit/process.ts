/** Programs that tests start. Each is ended by its process id, and errors contain its output. */
import { type ChildProcess, type Serializable, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { AsyncQueue } from './async-queue.ts';
import type { TestScope } from './scope.ts';
import { type WaitOptions, until, within } from './until.ts';

/** Default limit for a program to start or to end, in milliseconds. */
const PROGRAM_TIMEOUT_MS = 30_000;
/** Time between a signal and SIGKILL, in milliseconds. */
const KILL_DELAY_MS = 5000;

const RUNNER_VARIABLES = new Set(['NODE_OPTIONS', 'NODE_TEST_CONTEXT', 'NODE_V8_COVERAGE']);

/** Returns the environment of this process without the variables of its test runner, and with daemons in `PATH`. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !RUNNER_VARIABLES.has(name));
  const path = [process.env['PATH'] ?? '', '/usr/sbin', '/usr/local/sbin'].join(delimiter);
  return { ...Object.fromEntries(own), PATH: path };
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to `cleanEnvironment()`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Opens an IPC channel, for `send` and `nextMessage`. The program has to be Node. */
  readonly ipc?: boolean;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
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
  readonly #exited: Promise<Exit>;
  readonly #messages = new AsyncQueue<unknown>('a message of the program');
  #stdout = '';
  #stderr = '';
  #exit: Exit | undefined;
  readonly #waiting = new Set<() => void>();

  /** Starts the program. @param command program in the `PATH`, or a file */
  constructor(command: string, args: readonly string[] = [], options: ProgramOptions = {}) {
    this.#command = [command, ...args].join(' ');
    this.#child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...cleanEnvironment(), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc === true ? (['ipc'] as const) : [])],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#wake();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    this.#child.on('message', (message) => this.#messages.push(message));
    this.#exited = this.#watch();
  }

  /** Runs a script with this version of Node. */
  static node(file: string, args: readonly string[] = [], options: ProgramOptions = {}): Program {
    return new Program(process.execPath, [file, ...args], options);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Standard output, then standard error. */
  get output(): string {
    return this.#stdout + this.#stderr;
  }

  get hasExited(): boolean {
    return this.#exit !== undefined;
  }

  /** Waits until the output matches. @throws an error with the output if the program ends first */
  async prints(
    pattern: RegExp,
    { timeout = PROGRAM_TIMEOUT_MS }: WaitOptions = {},
  ): Promise<RegExpExecArray> {
    const search = async (): Promise<RegExpExecArray> => {
      for (;;) {
        const match = pattern.exec(this.output);
        if (match !== null) return match;
        if (this.hasExited) throw new Error(`${this.#command} ended:\n${this.output}`);
        await new Promise<void>((resolve) => {
          this.#waiting.add(resolve);
        });
      }
    };
    return within(search(), `${this.#command} to print ${pattern}`, { timeout });
  }

  /** Lets all calls of `prints` check the output. */
  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }

  /** Waits until the program accepts connections on all ports. @throws an error with the output if it ends first */
  async listens(ports: readonly number[], options: WaitOptions = {}): Promise<void> {
    for (const port of ports) {
      const check = async (): Promise<boolean> => {
        if (await isListening(port)) return true;
        if (this.hasExited) throw new Error(`${this.#command} ended:\n${this.output}`);
        return false;
      };
      const awaited = `${this.#command} to listen on ${port}`;
      await until(check, awaited, { timeout: PROGRAM_TIMEOUT_MS, ...options });
    }
  }

  /**
   * Waits for the end of the process and of its output, which a child process may keep open. Node's event for both,
   * 'close', is not emitted after `disconnect`.
   */
  async #watch(): Promise<Exit> {
    const { stdout, stderr } = this.#child;
    const outputs = [stdout, stderr].map(async (output) => output && once(output, 'close'));
    let exit: Exit = { code: null, signal: null };
    try {
      const [code, signal] = (await once(this.#child, 'exit')) as [Exit['code'], Exit['signal']];
      exit = { code, signal };
      await Promise.all(outputs);
    } catch (error) {
      // The program could not be started.
      this.#stderr += String(error);
    }
    this.#exit = exit;
    this.#messages.end(new Error(`${this.#command} has ended.\n${this.output}`));
    this.#wake();
    return exit;
  }

  /** Sends an IPC message. */
  send(message: Serializable): void {
    this.#child.send(message);
  }

  /** Waits for the next IPC message. */
  async nextMessage(options: WaitOptions = {}): Promise<unknown> {
    return this.#messages.next({ timeout: PROGRAM_TIMEOUT_MS, ...options });
  }

  /** Closes the IPC channel. */
  disconnect(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  /** Waits until the program has ended and its output is complete. */
  async exited({ timeout = PROGRAM_TIMEOUT_MS }: WaitOptions = {}): Promise<Exit> {
    return within(this.#exited, `the end of ${this.#command}`, { timeout });
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.hasExited) this.#child.kill(signal);
  }

  /** Ends the program with `signal`, and after 5 s with SIGKILL. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.kill(signal);
    const timer = setTimeout(() => this.kill('SIGKILL'), KILL_DELAY_MS);
    try {
      return await this.exited();
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Starts a script with this version of Node, and kills it at the end of the test. */
export function startNode(
  scope: TestScope,
  file: string,
  args?: readonly string[],
  options?: ProgramOptions,
): Program {
  const program = Program.node(file, args, options);
  scope.after(async () => {
    await program.stop('SIGKILL');
  });
  return program;
}

/** Runs a program to its end. @throws an error with its output unless it ends with code 0 in time */
export async function run(
  command: string,
  args: readonly string[] = [],
  { timeout = PROGRAM_TIMEOUT_MS, ...options }: ProgramOptions & WaitOptions = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const program = new Program(command, args, options);
  try {
    const { code, signal } = await program.exited({ timeout });
    if (code !== 0) throw new Error(`${command} ended with ${code ?? signal}:\n${program.output}`);
    return { stdout: program.stdout, stderr: program.stderr };
  } finally {
    await program.stop('SIGKILL');
  }
}

/** Creates a directory that is removed at the end of the test. */
export async function temporaryDirectory(scope: TestScope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sockjs-server-'));
  scope.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
