/** The public names and nothing else. */
// The public types use those of `node:http`. This line finds them where `types` is empty, too.
/// <reference types="node" preserve="true" />
export { broadcast, SockJSConnection } from './connection.ts';
export { SockJSError, type SockJSErrorCode } from './errors.ts';
export { ConnectionInfo, SessionRequest } from './connection-info.ts';
export type { EndCause } from './protocol/ends.ts';
export { Refusal, type RefusalReason } from './refusal.ts';
export {
  type CloseOptions,
  type Middleware,
  type RouterArguments,
  SockJSRouter,
} from './router.ts';
export type {
  AllowedOrigins,
  Authorize,
  Logger,
  Settings,
  SettingsInput,
  SlowConsumer,
  SlowConsumerPolicy,
  TransportName,
} from './settings.ts';
export type { CloseEvent, RefusalEvent, SessionEvent, Stats, StatsDump } from './stats.ts';
