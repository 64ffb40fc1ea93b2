/** A NATS server with JetStream for tests, from the `nats-server` in the `PATH`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Program } from './process.ts';
import { freePorts } from './server.ts';

export class NatsServer {
  readonly port: number;
  readonly #directory: string;
  #program: Program | undefined;

  private constructor(port: number, directory: string) {
    this.port = port;
    this.#directory = directory;
  }

  static async start(): Promise<NatsServer> {
    const [port = 0] = await freePorts(1);
    const server = new NatsServer(port, await mkdtemp(join(tmpdir(), 'sockjs-nats-')));
    await server.start();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Starts the server with the records that it had before. */
  async start(): Promise<void> {
    const address = ['--addr', '127.0.0.1', '--port', String(this.port)];
    const args = [...address, '--jetstream', '--store_dir', this.#directory];
    this.#program = new Program('nats-server', args);
    await this.#program.prints(/Server is ready/);
  }

  /** Starts the server without records. */
  async startEmpty(): Promise<void> {
    await rm(join(this.#directory, 'jetstream'), { recursive: true, force: true });
    await this.start();
  }

  /** Kills the server. */
  async kill(): Promise<void> {
    await this.#program?.stop('SIGKILL');
  }

  /** Stops the process for a time, in milliseconds. Its connections stay open. */
  async freeze(ms: number): Promise<void> {
    this.#program?.kill('SIGSTOP');
    await sleep(ms);
    this.#program?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
