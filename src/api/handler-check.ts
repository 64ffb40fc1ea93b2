/** Mistakes in a connection class that would drop messages silently. */
import { closestName } from '../base/closest-name.ts';
import { SockJSConnection } from './connection.ts';

const HANDLERS = ['onOpen', 'onMessage', 'onBinary', 'onDrain', 'onClose'] as const;
type HandlerName = (typeof HANDLERS)[number];

/** Names of other libraries, in lower case without `_`. */
const ALIASES: Readonly<Record<string, HandlerName>> = {
  onconnect: 'onOpen',
  onconnection: 'onOpen',
  ondata: 'onMessage',
  ondisconnect: 'onClose',
  onend: 'onClose',
};

function isSubclass(value: unknown): value is new () => SockJSConnection {
  return typeof value === 'function' && value.prototype instanceof SockJSConnection;
}

/** Returns the prototypes of a class and its base classes, up to `SockJSConnection` and without it. */
function prototypesOf(connectionClass: new () => SockJSConnection): readonly object[] {
  const prototypes: object[] = [];
  let prototype: unknown = connectionClass.prototype;
  while (prototype !== SockJSConnection.prototype && typeof prototype === 'object' && prototype) {
    prototypes.push(prototype);
    prototype = Object.getPrototypeOf(prototype);
  }
  return prototypes;
}

function findMisspelled(methods: readonly string[]): string | undefined {
  const missing = new Set(HANDLERS.filter((name) => !methods.includes(name)));
  for (const method of methods) {
    if (!/^on/i.test(method) || HANDLERS.some((name) => name === method)) continue;
    const meant = closestName(method, HANDLERS, ALIASES);
    if (meant !== undefined && missing.has(meant))
      return `has ${method}, which is never called. Did you mean \`${meant}\`?`;
  }
  return undefined;
}

/** Returns whether the source of a class names a handler, as a class with handlers in fields does. */
function namesHandler(prototypes: readonly object[]): boolean {
  const sources = prototypes.map((prototype) => String(prototype.constructor));
  return sources.some((source) => HANDLERS.some((name) => source.includes(name)));
}

/** Returns a warning about a class whose handlers are misspelled or missing, or undefined. */
export function findHandlerMistake(connectionClass: unknown): string | undefined {
  // SockJSConnection itself is for clients that only receive.
  if (!isSubclass(connectionClass)) return undefined;
  const prototypes = prototypesOf(connectionClass);
  const methods = prototypes.flatMap((prototype) => Object.getOwnPropertyNames(prototype));
  const name =
    connectionClass.name === '' ? 'The connection class' : `class ${connectionClass.name}`;
  const misspelled = findMisspelled(methods);
  if (misspelled !== undefined) return `${name} ${misspelled}`;
  const hasHandler = HANDLERS.some((handler) => methods.includes(handler));
  if (hasHandler || namesHandler(prototypes)) return undefined;
  return (
    `${name} has none of the handlers ${HANDLERS.join(', ')}: the messages of its clients are dropped. ` +
    'If that is intended, add an empty onMessage.'
  );
}
