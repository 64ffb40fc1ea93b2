/** The process with the server: started, asked, and ended by its id. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Question, State } from './server.ts';

export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;
  #isEnding = false;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    child.once('exit', (code, signal) => {
      if (this.#isEnding) return;
      console.error(`The server has ended with ${code ?? signal}.`);
      process.exit(1);
    });
  }

  static async start(): Promise<ServerProcess> {
    const child = fork(new URL('server.ts', import.meta.url), { execArgv: ['--expose-gc'] });
    process.once('exit', () => child.kill('SIGKILL'));
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new ServerProcess(child, port);
  }

  /** @param isCollected whether garbage is collected first */
  async state(isCollected = false): Promise<State> {
    this.#child.send((isCollected ? 'collected state' : 'state') satisfies Question);
    const [state] = (await once(this.#child, 'message')) as [State];
    return state;
  }

  broadcast(text: string): void {
    this.#child.send({ broadcast: text } satisfies Question);
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    this.#child.disconnect();
    await once(this.#child, 'exit');
  }
}
