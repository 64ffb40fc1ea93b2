import type { ConnectionInfo } from '../base/connection-info.ts';
import { SockJSError } from '../base/errors.ts';
import { describeValue } from '../base/setting-rules.ts';
import { ignoreRejection } from '../base/thenable.ts';
import type { TransportName } from '../base/transport-name.ts';
import { type ConnectionBackend, SockJSConnection, connect } from './connection.ts';

/** Argument of a connection factory: the client for which it creates a connection. */
export interface ConnectionInit<User = unknown> {
  /** The request that opened the session. */
  readonly info: ConnectionInfo;
  /** Result of the setting `authorize`. */
  readonly user: User;
  /** Name of the client's transport. */
  readonly transport: TransportName;
}

/**
 * Creates the connection of one client, for example with its dependencies.
 *
 * @example
 * new SockJSRouter(() => new Chat(database), '/chat');
 */
export type ConnectionFactory<C extends SockJSConnection> = (init: ConnectionInit<C['user']>) => C;

/** A class without constructor arguments, or a factory. */
export type ConnectionSource<C extends SockJSConnection> = (new () => C) | ConnectionFactory<C>;

/** Creates a connection and binds it to a session, or to a channel of one. */
export type CreateConnection<C extends SockJSConnection> = (backend: ConnectionBackend) => C;

type FunctionValue = (...args: never[]) => unknown;

function isConnectionClass(value: unknown): value is new () => SockJSConnection {
  if (typeof value !== 'function') return false;
  return value === SockJSConnection || value.prototype instanceof SockJSConnection;
}

/** Functions have a writable `prototype` or none; classes have one that is not writable. */
function isPlainFunction(value: unknown): value is FunctionValue {
  if (typeof value !== 'function') return false;
  return Object.getOwnPropertyDescriptor(value, 'prototype')?.writable !== false;
}

/**
 * Turns a class or a factory into a function that creates connections.
 * @param position place of the value for the error message, such as `The first argument`
 * @param code code of the error
 * @throws SockJSError if the value is neither
 */
export function connectionCreator<C extends SockJSConnection>(
  source: ConnectionSource<C>,
  position: string,
  code: 'ERR_ARGUMENT' | 'ERR_SETTING' = 'ERR_ARGUMENT',
): CreateConnection<C> {
  const value: unknown = source;
  if (isConnectionClass(value)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a class, as just checked
    const Connection = source as new () => C;
    return (backend) => {
      const connection = new Connection();
      connect(connection, backend);
      return connection;
    };
  }
  if (!isPlainFunction(value)) {
    throw new SockJSError(
      code,
      `${position} must be a class that extends SockJSConnection, or a function that returns an instance ` +
        `of one, not ${describeValue(value)}.`,
    );
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- not a class, as just checked
  const create = source as ConnectionFactory<C>;
  return (backend) => {
    const { info, user, transport } = backend;
    const connection = create({ info, user, transport });
    if (!(connection instanceof SockJSConnection)) {
      ignoreRejection(connection); // Of an async factory.
      throw new SockJSError(
        'ERR_ARGUMENT',
        `A connection factory must return an instance of SockJSConnection, not ${describeValue(connection)}.`,
      );
    }
    connect(connection, backend);
    return connection;
  };
}
