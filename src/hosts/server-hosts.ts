import type { ServerHost } from '../http/server-host.ts';
import { HTTP2_SERVER_HOST } from './http2/http2-attachment.ts';
import { NODE_SERVER_HOST } from './node/server-attachment.ts';

/** Hosts with servers to which a router can be attached. The first host that accepts a server serves it. */
export const SERVER_HOSTS: readonly ServerHost[] = [NODE_SERVER_HOST, HTTP2_SERVER_HOST];
