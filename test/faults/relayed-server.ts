/**
 * A server behind a relay, whose connections write down what they do and see. `/info` alone goes past the
 * relay (`base_url` sends the client there for all else): a client that loses its answer waits for 8 seconds.
 * Nothing here is unreferenced or forced to end, so that whatever the server leaves behind keeps its file from
 * ending, and so fails it.
 */
import { createServer } from 'node:http';
import { SockJSConnection, SockJSRouter, type SockJSSettings } from '../../src/index.ts';
import { within } from '../support/client.ts';
import { Relay, type Stages } from '../support/relay.ts';
import { Logs, listening } from '../support/service.ts';
import { Log } from './history.ts';

/** The server's end. */
export interface Session {
  readonly connection: SockJSConnection;
  readonly log: Log;
}

export interface Place {
  readonly router: SockJSRouter;
  /** All that there were, in the order in which they opened. */
  readonly sessions: readonly Session[];
  /** Of the service itself, and not of the relay. */
  readonly url: string;
  readonly relayPort: number;
  /** Closes relay and router, and waits until nothing is left of the server. */
  stop(): Promise<void>;
}

export async function prepare(stages: Stages, settings: SockJSSettings): Promise<Place> {
  const server = createServer();
  const port = await listening(server);
  const relay = await Relay.start(port, stages);
  const logger = new Logs();
  const sessions: Session[] = [];
  class Noting extends SockJSConnection {
    readonly log = new Log();
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
  const own = { jsessionid: false, logger, baseUrl };
  const router = new SockJSRouter(Noting, '/echo', { ...own, ...settings });
  router.attach(server);
  return {
    router,
    sessions,
    url: `http://127.0.0.1:${port}/echo`,
    relayPort: relay.port,
    async stop() {
      await relay.close();
      await router.close({ timeout: 0 });
      const ended = new Promise((resolve) => server.close(resolve));
      try {
        // None is closed for it here: they all have to end by themselves, now that their clients are gone.
        await within(ended, 'the end of all connections');
      } finally {
        server.closeAllConnections();
      }
      logger.verify();
    },
  };
}
