/**
 * The services of the test server in this process, for the tests of one file. A warning or an error in the log that a
 * test has not taken fails the file.
 */
import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { after } from 'node:test';
import type { SockJSRouter } from '../../src/index.ts';
import { attachServices } from '../../test-server/services.ts';
import { createTestServers } from '../../testkit/http2-gateway.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { listen, stop } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

export { newSession } from '../../testkit/transports.ts';
export { until } from '../../testkit/until.ts';

export interface Services {
  readonly server: Server;
  readonly port: number;
  readonly logger: RecordingLogger;
  /** The router below `prefix`. */
  readonly router: (prefix: string) => SockJSRouter;
}

/** Starts all services, which stop after the last test of the file. */
export async function startServices(): Promise<Services> {
  const logger = new RecordingLogger();
  const { front: server, back } = createTestServers();
  const routers = attachServices(back, logger);
  const port = await listen(server);
  after(async () => {
    await Promise.all(routers.map((router) => router.close({ timeout: 100 })));
    await stop(server);
    logger.assertNoProblems();
  });
  return {
    server,
    port,
    logger,
    router(prefix) {
      const found = routers.find((router) => router.prefix === prefix);
      assert.ok(found !== undefined, `there is no service ${prefix}`);
      return found;
    },
  };
}

/** Waits until a router has this number of pending receiving requests and open WebSockets. */
export async function receivers(router: SockJSRouter, count: number): Promise<void> {
  await until(() => router.stats.dump().connectionsActive === count, `${count} receivers`);
}
