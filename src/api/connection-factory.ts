import { ApplicationError } from '../base/application-error.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { describeValue } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import { ignoreRejection } from '../base/thenable.ts';
import type { TransportName } from '../base/transport-name.ts';
import type { ConnectionBackend, ConnectionLink } from './connection-backend.ts';
import { SockJSConnection, connect } from './connection.ts';
import { findHandlerMistake } from './handler-check.ts';

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
export type CreateConnection<C extends SockJSConnection> = (link: ConnectionLink) => C;

type FunctionValue = (...args: never[]) => unknown;

function isConnectionClass(value: unknown): value is new () => SockJSConnection {
  if (typeof value !== 'function') return false;
  return value === SockJSConnection || value.prototype instanceof SockJSConnection;
}

/** Functions have a writable `prototype` or none; classes have one that is not writable. */
function isClass(value: unknown): value is FunctionValue {
  if (typeof value !== 'function') return false;
  return Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false;
}

/** Returns whether a function is used as a class: its prototype has methods. */
function hasMethods(value: object): boolean {
  const prototype: unknown = Reflect.get(value, 'prototype');
  if (typeof prototype !== 'object' || prototype === null) return false;
  return Object.getOwnPropertyNames(prototype).some((name) => name !== 'constructor');
}

/** Returns whether a class extends a class with the name of ours, which is then from another copy of this package. */
function extendsOtherCopy(value: FunctionValue): boolean {
  let ancestor: unknown = value;
  while (typeof ancestor === 'function') {
    if (ancestor.name === SockJSConnection.name) return true;
    ancestor = Object.getPrototypeOf(ancestor);
  }
  return false;
}

/** Describes a value that is neither a connection class nor a factory, for the end of a sentence. */
function describeSource(value: unknown): string {
  if (value instanceof SockJSConnection)
    return `an instance of ${value.constructor.name}. Pass the class itself`;
  if (typeof value === 'string')
    return `${describeValue(value)}. The prefix is the second argument`;
  if (typeof value !== 'function') return describeValue(value);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a function, as just checked
  const source = value as FunctionValue;
  const name = `class ${source.name || '(anonymous)'}`;
  if (extendsOtherCopy(source))
    return `${name}, which extends the SockJSConnection of another copy of sockjs-server. Install it once`;
  return `${name}, which does not extend SockJSConnection`;
}

/** Creates an object of the application. Its error gets the name of the class or function. */
function createObject<T>(source: string, create: () => T): T {
  try {
    return create();
  } catch (error) {
    // The message names the class and the remedy. The stack only has the code that creates it.
    const isTooEarly = error instanceof SockJSError && error.code === 'ERR_NOT_CONNECTED';
    if (isTooEarly) error.stack = String(error);
    throw new ApplicationError(source, error);
  }
}

/** Warns about the handlers of a class. Checks each class once, as long as a factory creates no other. */
function handlerChecker(): (connection: SockJSConnection, backend: ConnectionBackend) => void {
  let checked: unknown;
  let mistake: string | undefined;
  return (connection, { context }) => {
    if (connection.constructor !== checked) {
      checked = connection.constructor;
      mistake = findHandlerMistake(checked);
    }
    if (mistake !== undefined) context.logger.warn(mistake);
  };
}

function classCreator<C extends SockJSConnection>(Connection: new () => C): CreateConnection<C> {
  const checkHandlers = handlerChecker();
  const source = `The constructor of ${Connection.name || 'the connection class'}`;
  return (link) => {
    const connection = createObject(source, () => new Connection());
    connect(connection, link);
    checkHandlers(connection, link.backend);
    return connection;
  };
}

function factoryCreator<C extends SockJSConnection>(
  create: ConnectionFactory<C>,
): CreateConnection<C> {
  const checkHandlers = handlerChecker();
  return (link) => {
    const { info, user, transport } = link.backend;
    return createObject('The connection factory', () => {
      const connection = create({ info, user, transport });
      if (!(connection instanceof SockJSConnection)) {
        ignoreRejection(connection); // Of an async factory.
        throw new SockJSError(
          'ERR_ARGUMENT',
          `A connection factory must return an instance of SockJSConnection, not ${describeValue(connection)}.`,
        );
      }
      connect(connection, link);
      checkHandlers(connection, link.backend);
      return connection;
    });
  };
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
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a class, as just checked
  if (isConnectionClass(value)) return classCreator(source as new () => C);
  const isFactory = typeof value === 'function' && !isClass(value) && !hasMethods(value);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- not a class, as just checked
  if (isFactory) return factoryCreator(source as ConnectionFactory<C>);
  throw new SockJSError(
    code,
    `${position} must be a class that extends SockJSConnection, or a function that returns an instance ` +
      `of one, not ${describeSource(value)}.`,
  );
}
