/** HAProxy in front of the server under test, on the core of the load. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from '../testkit/process.ts';
import { freePorts } from '../testkit/server.ts';

/** Protocol between HAProxy and the server. Clients use HTTP/1.1. */
export type BackendProtocol = 'http/1.1' | 'h2';

function configuration(port: number, server: number, protocol: BackendProtocol): string {
  return `global
  maxconn 4000
  nbthread 1
defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend clients
  bind 127.0.0.1:${port}
  default_backend server
backend server
  # Streams of many clients share a connection.
  http-reuse always
  server bench 127.0.0.1:${server}${protocol === 'h2' ? ' proto h2' : ''}
`;
}

export class Proxy {
  readonly port: number;
  readonly #program: Program;
  readonly #directory: string;

  private constructor(port: number, program: Program, directory: string) {
    this.port = port;
    this.#program = program;
    this.#directory = directory;
  }

  /** @param server port of the server */
  static async start(server: number, protocol: BackendProtocol): Promise<Proxy> {
    const [port = 0] = await freePorts(1);
    const directory = await mkdtemp(join(tmpdir(), 'sockjs-server-bench-'));
    const file = join(directory, 'haproxy.cfg');
    await writeFile(file, configuration(port, server, protocol));
    const program = new Program('haproxy', ['-db', '-f', file]);
    const proxy = new Proxy(port, program, directory);
    process.once('exit', proxy.#kill);
    await program.listens([port]);
    return proxy;
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    await this.#program.stop('SIGKILL');
    await rm(this.#directory, { recursive: true });
  }

  readonly #kill = (): void => this.#program.kill('SIGKILL');
}
