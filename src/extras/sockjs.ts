/** Drop-in replacement for npm `sockjs` 0.3.24. docs/drop-in.md lists the differences. */
/// <reference types="node" preserve="true" />
import { createServer, listen } from './sockjs/server.ts';

export type { FayeOptions, RequestWithCookies, ServerOptions } from './sockjs/options.ts';
export type { Connection, Middleware, Server } from './sockjs/server.ts';
export { createServer, listen };

/** Bundlers read it. In Node the default export is the module itself, as that of npm `sockjs`. */
export default { createServer, listen };
