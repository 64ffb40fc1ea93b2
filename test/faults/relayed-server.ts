/**
 * A server behind a relay, with connections that log their events. Only `/info` bypasses the relay: a client
 * that loses its response waits for 8 s. Its `base_url` sends the client to the relay for all else.
 *
 * No timer here is unreferenced, and no connection of the server is destroyed. A resource that the server
 * leaks keeps the test file from ending, and fails it.
 */
import { createServer } from 'node:http';
import { SockJSConnection, SockJSRouter, type SockJSSettings } from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { listen } from '../../testkit/server.ts';
import { type RelayOptions, TcpRelay } from '../../testkit/tcp-relay.ts';
import { within } from '../../testkit/until.ts';
import { DeliveryLog } from './delivery-log.ts';

export interface ServerSession {
  readonly connection: SockJSConnection;
  readonly log: DeliveryLog;
}

export interface RelayedServer {
  readonly router: SockJSRouter;
  /** All sessions so far, in the order in which they opened. */
  readonly sessions: readonly ServerSession[];
  /** The URL of the service itself, past the relay. */
  readonly url: string;
  readonly relayPort: number;
  /** Closes relay and router, and waits until the server has closed all its connections by itself. */
  stop(): Promise<void>;
}

export async function startRelayedServer(
  stages: RelayOptions,
  settings: SockJSSettings,
): Promise<RelayedServer> {
  const server = createServer();
  const port = await listen(server);
  const relay = await TcpRelay.start(port, stages);
  const logger = new RecordingLogger();
  const sessions: ServerSession[] = [];
  class LoggingConnection extends SockJSConnection {
    readonly log = new DeliveryLog();
    override onOpen(): void {
      this.log.opened();
      sessions.push({ connection: this, log: this.log });
    }
    override onMessage(message: string): void {
      this.log.received(message);
    }
    override onClose(code: number, reason: string): void {
      this.log.closed(code, reason);
    }
  }
  const baseUrl = `http://127.0.0.1:${relay.port}/echo`;
  const defaults = { jsessionid: false, logger, baseUrl };
  const router = new SockJSRouter(LoggingConnection, '/echo', { ...defaults, ...settings });
  router.attach(server);
  return {
    router,
    sessions,
    url: `http://127.0.0.1:${port}/echo`,
    relayPort: relay.port,
    async stop() {
      await relay.close();
      await router.close({ timeout: 0 });
      const closed = new Promise((resolve) => server.close(resolve));
      try {
        await within(closed, 'the server to close its connections, whose clients are gone');
      } finally {
        server.closeAllConnections();
      }
      logger.assertNoProblems();
    },
  };
}
