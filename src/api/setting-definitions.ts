/**
 * Definitions of all settings: documentation, type, unit, rule and default. `SockJSSettings`, validation and
 * docs/settings.md come from here. To add a setting, add it to its group and run `npm run docs`.
 */
import type { ConnectionInfo } from '../base/connection-info.ts';
import { CONSOLE_LOGGER } from '../base/logging.ts';
import {
  BOOLEAN,
  BYTES,
  COMPRESSION,
  HOST_LIST,
  LOGGER,
  MESSAGES_PER_SECOND,
  MILLISECONDS,
  MILLISECONDS_OR_INFINITY,
  ORIGIN_LIST,
  SUBNET_LIST,
  TRANSPORT_LIST,
  URL_REFERENCE,
  either,
  functionOf,
  instanceOf,
  integer,
  oneOf,
} from '../base/setting-rules.ts';
import { SockJSCluster } from '../cluster/cluster.ts';
import type { AllowedOrigins } from '../http/origin-guard.ts';
import type { Authorize } from '../http/authorize.ts';
import type { BaseUrl } from '../routes/info.ts';
import type { SlowConsumer, SlowConsumerPolicy } from '../sessions/backpressure.ts';
import { optional, setting } from './setting.ts';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
const TEBIBYTE = 1024 ** 4;
const MAX_COUNT = 100_000_000;

export const ORIGINS_AND_AUTHENTICATION = {
  /**
   * Origins of pages that may connect, in addition to the server's own origin. A list of origins, a function that
   * gets the origin and returns `true` to allow it (it may be async), or `'*'` for all. In a list,
   * `https://*.example.com` stands for every subdomain, and `http://localhost:*` for every port. Pages of packaged
   * applications have origins such as `file://` or `app://localhost`. Other pages get 403.
   */
  allowedOrigins: setting<AllowedOrigins>(
    either(ORIGIN_LIST, functionOf<(origin: string) => boolean | PromiseLike<boolean>>()),
    [],
  ),
  /**
   * Names under which clients may reach the server: a list such as `['app.example.com', '*.example.com']`, or `'*'` for
   * all. IP addresses, `localhost` and `*.localhost` are always allowed. Requests for other hosts get 403. This protects
   * servers in a private network against DNS rebinding, by which a foreign page gets the origin of the server. Without
   * the setting, all names are allowed, except on a server that `listen` creates on a loopback address without
   * `trustedProxies`: it allows only the name passed to `listen`.
   */
  allowedHosts: optional(HOST_LIST),
  /**
   * Function that authenticates a client. It is called once for each session, on every transport, before the session
   * opens, and may be async. It gets the request and returns the user, which becomes `connection.user`. A `Refusal`,
   * or `undefined`, `null` or `false` (403), refuses the client.
   */
  authorize: optional(functionOf<Authorize<unknown>>()),
  /**
   * Limit for pending calls of `authorize`, for pending calls of an `allowedOrigins` function, and for requests that wait
   * for the backplane of a cluster. Further requests get 503.
   */
  maxPendingDecisions: setting(integer('requests', 1, MAX_COUNT), 1000),
  /**
   * Limit like `maxPendingDecisions` for one address (IPv6: for one /64). An IPv6 /48 may have a quarter of
   * `maxPendingDecisions`, or twice this limit if that is more.
   */
  maxPendingDecisionsPerAddress: setting(integer('requests', 1, MAX_COUNT), 100),
};

export const PROXIES = {
  /**
   * Proxies whose `X-Forwarded-*` and `Forwarded` headers are trusted. Addresses, subnets such as `10.0.0.0/8`, or
   * the names `loopback`, `linklocal` and `uniquelocal`. A proxy that connects through a UNIX socket has no address, and
   * is never trusted. Let it connect to a loopback address.
   */
  trustedProxies: setting(SUBNET_LIST, []),
  /**
   * Headers that the trusted proxies write: `'x-forwarded'` for `X-Forwarded-For`, `X-Forwarded-Proto` and
   * `X-Forwarded-Host`, or `'forwarded'` for `Forwarded`. With `'auto'`, `Forwarded` is read if a request has no
   * `X-Forwarded-For`. Use `'forwarded'` if your proxies write `Forwarded`. They pass on an `X-Forwarded-For` that a
   * client sends, so with `'auto'` the client can choose its address.
   */
  forwardedHeader: setting(oneOf('auto', 'x-forwarded', 'forwarded'), 'auto'),
  /**
   * Sets a `JSESSIONID` cookie, by which load balancers keep a client on one node. The value that a client sends is set
   * again for the path `/`, readable by scripts. Use `false` if an application on this host has a secret cookie of this
   * name.
   */
  jsessionid: setting(BOOLEAN, true),
  /** Value of `cookie_needed` in `/info`. Use `true` if the load balancer sets its own cookie. */
  cookieNeeded: optional(BOOLEAN, 'the value of `jsessionid`'),
  /** URL that `/info` returns as `base_url`, to which the client then connects, or a function that returns it. */
  baseUrl: optional(either(URL_REFERENCE, functionOf<BaseUrl>())),
  /** Whether responses have CORS headers. Use `false` if a proxy adds them. */
  corsHeaders: setting(BOOLEAN, true),
  /** Closes the connection after every response, for old proxies that mishandle persistent connections. */
  noKeepAlive: setting(BOOLEAN, false),
};

export const TIMEOUTS = {
  /**
   * Interval of idle time after which a heartbeat (`h`) is sent. A WebSocket gets one at this interval, together with
   * a ping. Proxies often close connections that are idle for 30 s.
   */
  heartbeatDelay: setting(MILLISECONDS, 25_000),
  /** Time a WebSocket client may be silent after a ping. Then it is closed with 1006. Any byte counts as a response. */
  pingTimeout: setting(MILLISECONDS, 20_000),
  /** Time a session waits for the next receiving request of its client. Then it ends with 1006. */
  disconnectDelay: setting(MILLISECONDS, 5000),
  /**
   * Time without a request from the client after which a streaming response ends with its next frame or heartbeat.
   * The client's next request shows that it is still connected.
   */
  streamRenewalDelay: setting(MILLISECONDS, 120_000),
  /** Time `onOpen` may be pending. Then the connection is closed with 1011. Applies to channels of `multiplex` too. */
  openTimeout: setting(MILLISECONDS, 30_000),
  /** Time `authorize` or an `allowedOrigins` function may take. Then the request gets 503. */
  authorizeTimeout: setting(MILLISECONDS, 10_000),
  /**
   * Time the head of a request may take to arrive (408), on servers that `listen` creates. Other servers use their own
   * `headersTimeout`, which is 60 s by default.
   */
  headersTimeout: setting(MILLISECONDS, 20_000),
  /** Time a request body (408) or a WebSocket message (1008) may take to arrive. */
  bodyTimeout: setting(MILLISECONDS, 30_000),
  /**
   * Time a client may read none of its buffered bytes. Then it is closed with 1013. It applies to every response and
   * every WebSocket.
   */
  writeTimeout: setting(MILLISECONDS, 30_000),
  /**
   * Time a client may need for its buffered bytes, at the rate at which it has read during the last `writeTimeout`. A
   * client that would need longer is closed with 1013. With the default, a client
   * needs 12 KiB/s for 2 MiB, and 0.4 KiB/s for 64 KiB.
   */
  sendTimeLimit: setting(MILLISECONDS, 180_000),
  /** Maximum interval between two checks of the session timeouts. */
  sessionCheckInterval: setting(MILLISECONDS, 1000),
};

export const INPUT_LIMITS = {
  /** Limit for a request body (413) or a WebSocket message (1009). Longer input is refused while it arrives. */
  maxMessageBytes: setting(BYTES, 2 * MEBIBYTE),
  /**
   * Limit for the messages in one request body (413) or WebSocket message (1009). sockjs-client sends all messages that
   * it has buffered in one body.
   */
  maxMessagesPerBody: setting(integer('messages', 1, MAX_COUNT), 10_000),
  /**
   * Limit for the mean rate of messages from one session. A burst may have as many messages as one second allows.
   * Empty messages, pings, pongs and tiny fragments of a WebSocket count too. `Infinity` turns the limit off.
   */
  maxMessagesPerSecond: setting(MESSAGES_PER_SECOND, 10_000),
  /**
   * Limit for calls of `onMessage` and `onBinary` of one connection whose promises are pending. While it is reached, no
   * further input of the client is read. With 1, messages are handled one after the other.
   */
  maxConcurrentHandlers: setting(integer('calls', 1, MAX_COUNT), 100),
  /** Treatment of a client over its rate limit. `'wait'`: its input is delayed. `'close'`: it is closed with 1008. */
  rateLimitPolicy: setting(oneOf('wait', 'close'), 'wait'),
};

export const OUTPUT_LIMITS = {
  /**
   * Queued bytes from which `send` returns `false`. `onDrain` follows once the client keeps up. A value above
   * `maxBufferedBytes` is reduced to that.
   */
  highWaterMark: setting(BYTES, 64 * KIBIBYTE),
  /**
   * Limit for the bytes that one client has not taken, on any transport. Each message counts with 100 bytes of
   * overhead. The limit is checked when more is sent to the client. A burst that one handler sends may exceed it, since
   * the client cannot read before the handler returns, but not `maxTotalBufferedBytes`.
   */
  maxBufferedBytes: setting(BYTES, 4 * MEBIBYTE),
  /**
   * Limit for the bytes that are buffered in the process: output for slow clients, incomplete request bodies and
   * WebSocket messages, and input that waits for handlers, the rate limit, `authorize` or `allowedOrigins`. Above it,
   * the largest buffer of the address that holds the most is evicted: an incomplete body gets 503, an incomplete message
   * or waiting input 1013, and output is limited to `highWaterMark`. Output up to `highWaterMark`, and a single message,
   * do not count. This setting also limits the messages that one handler sends to one client.
   */
  maxTotalBufferedBytes: setting(integer('bytes', 1, TEBIBYTE), 256 * MEBIBYTE),
  /**
   * Limit like `maxTotalBufferedBytes` for one address (IPv6: for one /64). An IPv6 /48 may have a quarter of
   * `maxTotalBufferedBytes`, or twice this limit if that is more.
   */
  maxBufferedBytesPerAddress: setting(
    integer('bytes', 1, TEBIBYTE),
    64 * MEBIBYTE,
    'a quarter of `maxTotalBufferedBytes`',
  ),
  /**
   * Treatment of a client over `maxBufferedBytes`. `'close'`: it is closed with 1013, which it gets if it reads within
   * `disconnectDelay`. `'drop-oldest'`: its oldest messages are dropped. A function gets the client (`info`, `user`,
   * `transport`, `bufferedBytes`) and returns one of the two.
   */
  slowConsumer: setting(
    either(
      oneOf<SlowConsumerPolicy>('close', 'drop-oldest'),
      functionOf<(client: SlowConsumer) => SlowConsumerPolicy>(),
    ),
    'close',
  ),
};

export const GROUPS_AND_CLUSTER = {
  /**
   * This node of a cluster, from `createCluster`. Requests of a session may then reach any node, and the load balancer
   * need not be sticky.
   */
  cluster: optional(instanceOf(SockJSCluster, 'a cluster from createCluster()')),
  /** Number of groups that one connection may join. A further `join` throws `ERR_GROUP_LIMIT`. */
  maxGroups: setting(integer('groups', 1, MAX_COUNT), 1000),
  /** Limit for the length of a presence as JSON, in bytes. A longer one throws `ERR_GROUP_LIMIT`. */
  maxPresenceBytes: setting(BYTES, 4 * KIBIBYTE),
};

export const SESSIONS = {
  /** Limit for open sessions. Further sessions get 503. A WebSocket session takes about 6 KiB. */
  maxSessions: setting(integer('sessions', 1, MAX_COUNT), 100_000),
  /**
   * Limit for open sessions of one address (IPv6: of one /64). Further sessions get 503. An IPv6 /48 may have a
   * quarter of `maxSessions`, or twice this limit if that is more. The default fits a large office behind one address.
   * All clients behind a proxy that is not in `trustedProxies` have its address. Clients of a UNIX socket have none, so
   * only `maxSessions` limits them.
   */
  maxSessionsPerAddress: setting(integer('sessions', 1, MAX_COUNT), 10_000),
  /**
   * Age at which a session is closed with 1012, ± 10 %. The client has to reconnect and pass `authorize` again.
   * `Infinity` turns the limit off.
   */
  maxSessionAge: setting(MILLISECONDS_OR_INFINITY, Infinity, '`Infinity`'),
  /**
   * Binds a session to the address that opened it (IPv6: to its /64). Use `false` for clients whose address changes,
   * or a function that gets the request and returns another key, for example the value of a cookie.
   */
  verifyIp: setting(either(BOOLEAN, functionOf<(request: ConnectionInfo) => string>()), true),
};

export const TRANSPORTS = {
  /** Transports that are turned off. Their URLs return 404. */
  disabledTransports: setting(TRANSPORT_LIST, []),
  /**
   * Size after which a streaming response ends, so that the browser can free its memory. The client then sends the next
   * request.
   */
  responseLimit: setting(BYTES, 128 * KIBIBYTE),
  /**
   * Location of the sockjs-client script for the iframe page: a URL that browsers can reach, or a `file:` URL, which
   * the router serves. By default the router serves the installed `sockjs-client` package.
   */
  sockjsUrl: optional(URL_REFERENCE),
  /**
   * Flushes messages as soon as the running handler returns. With `false`, once per turn of the event loop. In either
   * case, flushes that together take longer than 10 ms continue in the next turns.
   */
  immediateFlush: setting(BOOLEAN, true),
  /**
   * Compresses WebSocket messages of `threshold` bytes or more, 1024 by default, for clients that offer
   * `permessage-deflate`. Such clients may compress theirs too. [compression.md](compression.md) has the cost.
   */
  compression: setting(COMPRESSION, false),
  /** Turns off Nagle's algorithm, which delays small writes. */
  disableNagle: setting(BOOLEAN, true),
};

export const LOGGING = {
  /**
   * Receiver of log lines: an object with the methods `info`, `warn`, `error` and optionally `debug`, such as `console`
   * or pino. `false` turns logging off. `debug` gets the development log: a line for each session that opens or
   * closes, and for each refusal. With the environment variable `NODE_DEBUG=sockjs-server` it goes to stderr instead.
   */
  logger: setting(LOGGER, CONSOLE_LOGGER, 'the console, for warnings and errors'),
};

export const SETTING_DEFINITIONS = {
  ...ORIGINS_AND_AUTHENTICATION,
  ...PROXIES,
  ...TIMEOUTS,
  ...INPUT_LIMITS,
  ...OUTPUT_LIMITS,
  ...SESSIONS,
  ...GROUPS_AND_CLUSTER,
  ...TRANSPORTS,
  ...LOGGING,
};
