/** The public names and nothing else. */
// The types of `node:http` are part of the public face: this finds them even where `types` is empty.
/// <reference types="node" preserve="true" />
export { broadcast, SockJSConnection } from './api/connection.ts';
export { SockJSError, type SockJSErrorCode } from './base/errors.ts';
export { ConnectionInfo, SessionRequest } from './base/connection-info.ts';
export {
  CompatWebSocket,
  type CompatRequest,
  type WebSocketHandler,
  webSocketHandler,
} from './extras/ws-compat.ts';
export { multiplex } from './extras/multiplex.ts';
export type { CloseCause } from './base/close-reasons.ts';
export { Refusal, type RefusalReason } from './base/refusal.ts';
export {
  type RouterCloseOptions,
  type SockJSMiddleware,
  type RouterArguments,
  SockJSRouter,
} from './api/router.ts';
export type { ResolvedSettings, SockJSSettings } from './api/settings.ts';
export type { SockJSLogger } from './base/logging.ts';
export type { TransportName } from './base/transport-name.ts';
export type { AllowedOrigins } from './http/origin-guard.ts';
export type { Authorize } from './http/settings.ts';
export type { SlowConsumer, SlowConsumerPolicy } from './sessions/backpressure.ts';
export type {
  SessionCloseEvent,
  RefusalEvent,
  SessionOpenEvent,
  SockJSStats,
  SockJSStatsDump,
} from './base/stats.ts';
