/** The process with the server under test: started on a core of its own, asked, and ended by its id. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { Answers, Ask, Question } from './servers/measured.ts';

const SERVER_CORE = '0';
const LOAD_CORE = '1';

/** Moves this process, which is the load, away from the servers, where the system can. */
export function pinLoad(): boolean {
  if (availableParallelism() < 2) return false;
  const { status } = spawnSync('taskset', ['-acp', LOAD_CORE, String(process.pid)]);
  return status === 0;
}

export interface ServerOptions {
  /** In `servers/`. */
  readonly file: string;
  /** In milliseconds. */
  readonly heartbeat: number;
  readonly pinned: boolean;
  readonly flags: readonly string[];
}

function start({ file, heartbeat, pinned, flags }: ServerOptions): ChildProcess {
  const node = [process.execPath, '--expose-gc', ...flags];
  const [execPath = '', ...execArgv] = pinned ? ['taskset', '-c', SERVER_CORE, ...node] : node;
  const script = new URL(`servers/${file}`, import.meta.url);
  return fork(script, [String(heartbeat)], { execPath, execArgv });
}

export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(options: ServerOptions): Promise<ServerProcess> {
    const child = start(options);
    const stop = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', stop);
    child.once('exit', (code, signal) => {
      process.off('exit', stop);
      if (code !== 0) throw new Error(`${options.file} ended with ${code ?? signal}.`);
    });
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new ServerProcess(child, port);
  }

  async ask<Name extends Ask>(question: Name): Promise<Answers[Name]> {
    this.#child.send(question);
    const [answer] = (await once(this.#child, 'message')) as [Answers[Name]];
    return answer;
  }

  /** Has one text sent to all clients, of which there are so many. */
  broadcast(text: string, receivers: number): void {
    this.#child.send({ text, receivers } satisfies Question);
  }

  async end(): Promise<void> {
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }
}
