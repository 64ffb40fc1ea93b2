/** The public names and nothing else. */
// The types of `node:http` are part of the public face: this finds them even where `types` is empty.
/// <reference types="node" preserve="true" />
export { broadcast, SockJSConnection } from './connection.ts';
export { SockJSError, type SockJSErrorCode } from './errors.ts';
export { ConnectionInfo } from './http/connection-info.ts';
export {
  MigratedWebSocket,
  type MigratedRequest,
  type WebSocketHandler,
  webSocketHandler,
} from './migrate.ts';
export { multiplex } from './multiplex.ts';
export { type CloseOptions, type Middleware, SockJSRouter } from './router.ts';
export type { AllowedOrigins, Logger, Settings, SettingsInput, TransportName } from './settings.ts';
export type { Stats, StatsDump } from './stats.ts';
