/** Sessions with a registry in virtual time: no socket, no waiting. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { SockJSConnection, connect } from '../../src/api/connection.ts';
import { type SockJSSettings, resolveSettings } from '../../src/api/settings.ts';
import { SessionRegistry } from '../../src/sessions/session-registry.ts';
import type { Session } from '../../src/sessions/session.ts';
import { INFO } from './fake-receiver.ts';
import { localGroups } from '../../testkit/local-groups.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { VirtualProcess } from '../../testkit/virtual-process.ts';

export const BYE = { code: 1001, reason: 'bye', cause: 'goingAway' } as const;

/** Records the calls of its handlers. */
export class RecordingConnection extends SockJSConnection {
  readonly calls: string[] = [];
  /** Number of further messages that `onDrain` sends. */
  sendsOnDrain = 0;
  /** Returned by `onOpen`. */
  opening: Promise<void> | undefined;

  override onOpen(): void | Promise<void> {
    this.calls.push('open');
    return this.opening;
  }

  override onMessage(message: string): void {
    this.calls.push(message);
    if (message === 'close') this.close();
    if (message === 'echo') this.send('echoed');
  }

  override onDrain(): void {
    this.calls.push('drain');
    this.sendsOnDrain -= 1;
    if (this.sendsOnDrain >= 0) this.send('again');
  }

  override onClose(code: number, reason: string): void {
    this.calls.push(`closed ${code} ${reason}`);
  }
}

/** A registry whose clock and timers are moved by `pass`. */
/** @param random see `SessionRegistry` */
export function createRegistry(
  t: TestContext,
  input: SockJSSettings = {},
  random: () => number = Math.random,
) {
  const process = new VirtualProcess(t.mock);
  const created: RecordingConnection[] = [];
  const logger = new RecordingLogger();
  const createConnection = (session: Session): RecordingConnection => {
    const connection = new RecordingConnection();
    connect(connection, { backend: session, groups: localGroups() });
    created.push(connection);
    return connection;
  };
  const settings = resolveSettings(input);
  const registry = new SessionRegistry(
    '/echo',
    settings,
    logger,
    createConnection,
    process.now,
    undefined,
    random,
  );
  const pass = (milliseconds: number): void => process.runSync(milliseconds);
  /** Opens a session over HTTP if there is a key, over a WebSocket otherwise. */
  const open = (key?: string): { session: Session; connection: RecordingConnection } => {
    const session = registry.open({
      transport: key === undefined ? 'websocket' : 'xhr',
      info: INFO,
      user: undefined,
      memory: registry.memory.forClient(INFO.ip),
      key,
    });
    const connection = created.at(-1);
    assert.ok(session !== undefined && connection !== undefined);
    return { session, connection };
  };
  return { registry, logger, process, pass, open };
}

/** Waits until all flushes that were requested so far have run. */
export async function flushed(): Promise<void> {
  await Promise.resolve();
}
