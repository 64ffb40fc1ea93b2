/** The process of the server under test, on its own core where the system allows it. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Program } from '../testkit/process.ts';
import type { MeasuredServer } from './load/measure.ts';
import { type BackendProtocol, Proxy } from './proxy.ts';
import type { Command, Query, Results } from './servers/measured.ts';

const SERVER_CORE = '0';
const LOAD_CORE = '1';

/** Pins this process, which is the load, to another core than the servers. @returns whether the system allows it */
export function pinLoad(): boolean {
  if (availableParallelism() < 2) return false;
  const { status } = spawnSync('taskset', ['-acp', LOAD_CORE, String(process.pid)]);
  return status === 0;
}

export interface ServerOptions {
  /** Name of its file in `servers/`. */
  readonly file: string;
  /** Interval of heartbeats, in milliseconds. */
  readonly heartbeat: number;
  readonly pinned: boolean;
  readonly flags: readonly string[];
  /** Binary of Node. Default: that of this process */
  readonly node?: string;
  /** Puts HAProxy between clients and the server. */
  readonly proxy?: BackendProtocol;
  /** Further arguments of the server. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function start(options: ServerOptions): Program {
  const { file, heartbeat, pinned, flags, args = [], env = {} } = options;
  const binary = options.node ?? process.execPath;
  const script = fileURLToPath(new URL(`servers/${file}`, import.meta.url));
  const node = [binary, '--expose-gc', ...flags, script, String(heartbeat), ...args];
  const [command = '', ...rest] = pinned ? ['taskset', '-c', SERVER_CORE, ...node] : node;
  return new Program(command, rest, { ipc: true, env });
}

export class ServerProcess implements MeasuredServer {
  readonly port: number;
  readonly #program: Program;
  readonly #proxy: Proxy | undefined;

  private constructor(program: Program, port: number, proxy: Proxy | undefined) {
    this.#program = program;
    this.#proxy = proxy;
    this.port = proxy?.port ?? port;
  }

  static async start(options: ServerOptions): Promise<ServerProcess> {
    const program = start(options);
    const stop = (): void => program.kill('SIGKILL');
    process.once('exit', stop);
    void program.exited({ timeout: Infinity }).then(({ code, signal }) => {
      process.off('exit', stop);
      if (code === 0) return;
      console.error(`${options.file} ended with ${code ?? signal}.\n${program.output}`);
      process.exit(1);
    });
    const { port } = (await program.nextMessage()) as { port: number };
    const proxy = options.proxy === undefined ? undefined : await Proxy.start(port, options.proxy);
    return new ServerProcess(program, port, proxy);
  }

  async query<Name extends Query>(name: Name): Promise<Results[Name]> {
    this.#program.send(name);
    return (await this.#program.nextMessage()) as Results[Name];
  }

  broadcast(text: string, receivers: number): void {
    this.#program.send({ text, receivers } satisfies Command);
  }

  watchStalls(resolution: number): void {
    this.#program.send({ watchStalls: resolution } satisfies Command);
  }

  async end(): Promise<void> {
    await this.#proxy?.stop();
    this.#program.disconnect();
    await this.#program.exited();
  }
}
