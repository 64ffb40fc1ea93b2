/** A server as a process, with a folder for its records. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Program } from './process.ts';
import { reservedPorts } from './server.ts';

export interface EngineCommand {
  /** Program in the `PATH`. */
  readonly program: string;
  readonly args: (port: number, folder: string) => readonly string[];
  /** Output of a server that is ready. */
  readonly ready: RegExp;
  /** Part of the folder that has the records. */
  readonly records: string;
}

export class EngineProcess {
  readonly port: number;
  readonly url: string;
  readonly #command: EngineCommand;
  readonly #folder: string;
  #process: Program | undefined;

  private constructor(command: EngineCommand, scheme: string, port: number, folder: string) {
    this.#command = command;
    this.port = port;
    this.url = `${scheme}://127.0.0.1:${port}`;
    this.#folder = folder;
  }

  static async start(scheme: string, command: EngineCommand): Promise<EngineProcess> {
    const [port = 0] = await reservedPorts(1);
    const folder = await mkdtemp(join(tmpdir(), `sockjs-${scheme}-`));
    const server = new EngineProcess(command, scheme, port, folder);
    await server.start();
    return server;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the server with the records that it had before. */
  async start(): Promise<void> {
    const { program, args, ready } = this.#command;
    this.#process = new Program(program, [...args(this.port, this.#folder)]);
    await this.#process.prints(ready);
  }

  /** Starts the server without records. */
  async startEmpty(): Promise<void> {
    await rm(join(this.#folder, this.#command.records), { recursive: true, force: true });
    await this.start();
  }

  /** Kills the server. */
  async kill(): Promise<void> {
    await this.#process?.stop('SIGKILL');
  }

  /** Stops the process for a time, in milliseconds. Its connections stay open. */
  async freeze(ms: number): Promise<void> {
    this.#process?.kill('SIGSTOP');
    await sleep(ms);
    this.#process?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
