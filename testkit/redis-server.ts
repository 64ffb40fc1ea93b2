/** A Redis server for tests, from the `redis-server` in the `PATH`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Program } from './process.ts';
import { freePorts } from './server.ts';

export class RedisServer {
  readonly port: number;
  readonly #directory: string;
  #program: Program | undefined;

  private constructor(port: number, directory: string) {
    this.port = port;
    this.#directory = directory;
  }

  static async start(): Promise<RedisServer> {
    const [port = 0] = await freePorts(1);
    const server = new RedisServer(port, await mkdtemp(join(tmpdir(), 'sockjs-redis-')));
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  /** Starts the server with the records that it had before. */
  async start(): Promise<void> {
    const port = String(this.port);
    const files = ['--dir', this.#directory, '--appendonly', 'yes', '--appendfsync', 'always'];
    const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', ...files];
    this.#program = new Program('redis-server', args);
    await this.#program.prints(/Ready to accept connections/);
  }

  /** Starts the server without records. */
  async startEmpty(): Promise<void> {
    await rm(join(this.#directory, 'appendonlydir'), { recursive: true, force: true });
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
