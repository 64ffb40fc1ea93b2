import type { ServerHost } from '../http/server-host.ts';
import { NODE_SERVER_HOST } from './node/server-attachment.ts';

/** Hosts to whose servers a router can be attached. The first one that accepts a server serves it. */
export const SERVER_HOSTS: readonly ServerHost[] = [NODE_SERVER_HOST];
