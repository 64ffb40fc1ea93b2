/** The process of the server under test. */
import { fileURLToPath } from 'node:url';
import { Program } from '../../testkit/process.ts';
import type { Command, State } from './server.ts';

const SERVER = fileURLToPath(new URL('server.ts', import.meta.url));

export class ServerProcess {
  readonly port: number;
  readonly #program: Program;
  #isEnding = false;

  private constructor(program: Program, port: number) {
    this.#program = program;
    this.port = port;
    void this.#watch();
  }

  static async start(): Promise<ServerProcess> {
    const program = Program.node(SERVER, [], { ipc: true });
    process.once('exit', () => program.kill('SIGKILL'));
    const { port } = (await program.nextMessage()) as { port: number };
    return new ServerProcess(program, port);
  }

  /** @param isCollected collects garbage first */
  async state(isCollected = false): Promise<State> {
    this.#program.send((isCollected ? 'collected state' : 'state') satisfies Command);
    return (await this.#program.nextMessage()) as State;
  }

  broadcast(text: string): void {
    this.#program.send({ broadcast: text } satisfies Command);
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    this.#program.disconnect();
    await this.#program.exited();
  }

  /** Ends the run if the server ends before it. */
  async #watch(): Promise<void> {
    const { code, signal } = await this.#program.exited({ timeout: Infinity });
    if (this.#isEnding) return;
    console.error(`The server has ended with ${code ?? signal}:\n${this.#program.output}`);
    process.exit(1);
  }
}
