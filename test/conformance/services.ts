/**
 * The test server's services in this process, for the tests of one file. What they log is kept, and a
 * warning or an error that the test has not taken fails the file.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { SockJSRouter } from '../../src/index.ts';
import { attachServices } from '../../test-server/services.ts';
import { Logs, listening, stopped } from '../support/service.ts';

export interface Services {
  readonly server: Server;
  readonly port: number;
  readonly logs: Logs;
  /** The router below `prefix`. */
  readonly router: (prefix: string) => SockJSRouter;
}

/** Starts all services; they stop after the last test of the file. */
export async function startServices(): Promise<Services> {
  const logs = new Logs();
  const server = createServer();
  const routers = attachServices(server, logs);
  const port = await listening(server);
  after(async () => {
    await Promise.all(routers.map((router) => router.close({ timeout: 100 })));
    await stopped(server);
    logs.verify();
  });
  return {
    server,
    port,
    logs,
    router(prefix) {
      const found = routers.find((router) => router.prefix === prefix);
      assert.ok(found !== undefined, `there is no service ${prefix}`);
      return found;
    },
  };
}

/** The URL of a session that no other test uses. */
export function newSession(prefix = '/echo'): string {
  return `${prefix}/000/${randomUUID()}`;
}

const DEADLINE = 10_000;

/** Waits for something that has no event to wait for. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `${what}: not within ${DEADLINE} ms`);
    await delay(1);
  }
}

/** Waits until so many requests and WebSockets of a router wait for frames. */
export async function receivers(router: SockJSRouter, count: number): Promise<void> {
  await until(() => router.stats.dump().connectionsActive === count, `${count} receivers`);
}
