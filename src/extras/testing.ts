/**
 * Test kit for applications: clients in memory and over real sockets, and virtual time. It works with any test runner.
 */
/// <reference types="node" preserve="true" />
export type { CloseStatus } from '../base/close-reasons.ts';
export type { ClientOptions } from './testing/client-options.ts';
export { MemoryClient } from './testing/memory-client.ts';
export {
  type ConnectionArguments,
  type ConnectionOptions,
  openClient,
  openConnection,
} from './testing/open-client.ts';
export { OpenError } from './testing/open-error.ts';
export {
  listenForTest,
  SocketClient,
  type SocketClientOptions,
  testClient,
  TestServer,
} from './testing/socket-client.ts';
export { type NextOptions, TestClient } from './testing/test-client.ts';
export { type NodeTestMock, type VirtualTime, virtualTime } from './testing/virtual-time.ts';
