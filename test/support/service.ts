/**
 * A router on a real server on a port of its own. What it logs is kept; when the test ends the router is
 * closed, and a warning or an error that the test has not taken with `logs.take()` fails it.
 */
import assert from 'node:assert/strict';
import { type Server, createServer } from 'node:http';
import type { TestContext } from 'node:test';
import {
  type SockJSLogger,
  SockJSConnection,
  SockJSRouter,
  type SockJSSettings,
} from '../../src/index.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly line: string;
}

/** Keeps log lines until a test takes them. */
export class Logs implements SockJSLogger {
  #lines: LogLine[] = [];

  debug(line: string): void {
    this.#lines.push({ level: 'debug', line });
  }

  info(line: string): void {
    this.#lines.push({ level: 'info', line });
  }

  warn(line: string): void {
    this.#lines.push({ level: 'warn', line });
  }

  error(line: string): void {
    this.#lines.push({ level: 'error', line });
  }

  /** All lines so far, which then count as expected. */
  take(): LogLine[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** Fails if there is a warning or an error that nobody took. */
  verify(): void {
    const loud = this.take().filter(({ level }) => level === 'warn' || level === 'error');
    assert.deepEqual(loud, [], 'log lines that no test expected');
  }
}

export class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }

  override onBinary(data: Uint8Array): void {
    this.send(data);
  }
}

export interface Running<C extends SockJSConnection> {
  readonly router: SockJSRouter<C>;
  readonly server: Server;
  readonly logs: Logs;
  readonly port: number;
  /** http://127.0.0.1:port/prefix */
  readonly url: string;
}

/** @returns the port */
export async function listening(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

export async function stopped(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Serves `connection` below `/echo` until the test ends. Settings: jsessionid off, nothing else changed. */
export async function serve<C extends SockJSConnection = Echo>(
  t: TestContext,
  settings: SockJSSettings = {},
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- C is Echo where no class is given
  connection: new () => C = Echo as never,
): Promise<Running<C>> {
  const logs = new Logs();
  const all = { jsessionid: false, logger: logs, ...settings };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a class with users is given its `authorize`
  const router = new SockJSRouter(connection, ...(['/echo', all] as never));
  const server = createServer();
  router.attach(server);
  const port = await listening(server);
  t.after(async () => {
    await router.close({ timeout: 100 });
    await stopped(server);
    logs.verify();
  });
  return { router, server, logs, port, url: `http://127.0.0.1:${port}/echo` };
}
