/** The public names of `sockjs-server`. */
// The types of `node:http` are part of the public API. This finds them even where `types` is empty.
/// <reference types="node" preserve="true" />
export type { ConnectionFactory, ConnectionInit } from './api/connection-factory.ts';
export { broadcast, SockJSConnection } from './api/connection.ts';
export { type RouterArguments, type SockJSMiddleware, SockJSRouter } from './api/router.ts';
export type { RouterCloseOptions } from './api/router-close-options.ts';
export type { ResolvedSettings, SockJSSettings } from './api/settings.ts';
export { createCluster, type SockJSCluster } from './cluster/cluster.ts';
export type { ClusterStats } from './cluster/cluster-stats.ts';
export type { ClusterNodeInfo } from './cluster/node-directory.ts';
export type { ClusterOptions } from './cluster/cluster-options.ts';
export type { Backplane } from './backplane/backplane.ts';
export { memoryBackplane, MemoryHub } from './backplane/memory-engine.ts';
export type { CloseCause } from './base/close-reasons.ts';
export type { GroupEvent, GroupMissedEvent } from './groups/group-events.ts';
export { type GroupBroadcastOptions, SockJSGroup } from './groups/group.ts';
export type { PresenceMember, PresenceWatcher } from './groups/presence-view.ts';
export { ConnectionInfo } from './base/connection-info.ts';
export { SockJSError, type SockJSErrorCode } from './base/errors.ts';
export type { SockJSLogger } from './base/logging.ts';
export { Refusal, type RefusalReason } from './base/refusal.ts';
export type {
  RefusalEvent,
  SessionCloseEvent,
  SessionOpenEvent,
  SockJSStats,
  SockJSStatsDump,
} from './base/stats.ts';
export type { TransportName } from './base/transport-name.ts';
export { type Authorize, SessionRequest } from './http/authorize.ts';
export type { AllowedOrigins } from './http/origin-guard.ts';
export type { SlowConsumer, SlowConsumerPolicy } from './sessions/backpressure.ts';
