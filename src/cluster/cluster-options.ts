import type { Backplane } from '../backplane/backplane.ts';
import { describeType } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import type { SockJSLogger } from '../base/logging.ts';
import { checkOptions } from '../base/option-check.ts';
import { LOGGER, type Rule, integer } from '../base/setting-rules.ts';

/** Options of `createCluster`. */
export interface ClusterOptions {
  /**
   * State that the nodes share: `redisBackplane(client)`, `natsBackplane(connection)`, `ipcBackplane()` or
   * `memoryBackplane(hub)`. Each node needs a backplane that no other one uses.
   */
  readonly backplane: Backplane;
  /**
   * Address of the private listener, on which this node receives the requests that other nodes relay. Only the other
   * nodes should be able to reach it. `port`: default any free one. `host`: default the one private address of this
   * machine.
   */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** Address under which other nodes reach the listener, if it differs: behind NAT or in a container. */
  readonly advertise?: { readonly host?: string; readonly port?: number };
  /**
   * Prefix of all keys and topics, which separates clusters that share a backplane: up to 64 letters, digits, `_` and
   * `-`. Default: 'sockjs'.
   */
  readonly namespace?: string;
  /** Default: the console, which shows warnings and errors. */
  readonly logger?: SockJSLogger;
}

const MAX_PORT = 65_535;

/** Buckets of NATS allow no other characters. */
const NAMESPACE = /^[\w-]{1,64}$/;

const HOST: Rule<string> = {
  expected: "a host name or an address such as '10.0.0.5'",
  isValid: (value): value is string => typeof value === 'string' && /^[\w.:%-]+$/.test(value),
};

function portFrom(minimum: number): Rule<number> {
  return { ...integer('', minimum, MAX_PORT), expected: `a port from ${minimum} to ${MAX_PORT}` };
}

const LISTEN_RULES = { host: HOST, port: portFrom(0) };
const ADVERTISE_RULES = { host: HOST, port: portFrom(1) };

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

const ADDRESS: Rule<object> = {
  expected: "an object such as { host: '10.0.0.5', port: 7400 }",
  isValid: isObject,
};

const EXPECTED_BACKPLANE =
  'the result of redisBackplane(), natsBackplane(), ipcBackplane() or memoryBackplane()';
const BACKPLANE_METHODS = ['join', 'claim', 'publish', 'leave'];

function isBackplane(value: unknown): boolean {
  if (!isObject(value)) return false;
  return BACKPLANE_METHODS.every((name) => typeof Reflect.get(value, name) === 'function');
}

/** The backplane is checked after the other options, in another way. */
const ANY_VALUE: Rule<unknown> = {
  expected: 'a backplane',
  isValid: (value): value is unknown => value !== undefined,
};

const RULES = {
  backplane: ANY_VALUE,
  listen: ADDRESS,
  advertise: ADDRESS,
  namespace: {
    expected: "up to 64 letters, digits, '_' and '-'",
    isValid: (value: unknown): value is string =>
      typeof value === 'string' && NAMESPACE.test(value),
  },
  logger: LOGGER,
} satisfies Record<keyof ClusterOptions, Rule<unknown>>;

const ALIASES: Readonly<Record<string, keyof ClusterOptions>> = {
  adapter: 'backplane',
  address: 'listen',
  announce: 'advertise',
  bind: 'listen',
  host: 'listen',
  keyprefix: 'namespace',
  log: 'logger',
  nats: 'backplane',
  port: 'listen',
  prefix: 'namespace',
  redis: 'backplane',
};

/** Addresses of all interfaces, to which no other node can connect. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0']);

function checkReachable(host: string | undefined, advertised: string | undefined): void {
  if (host === undefined || !WILDCARDS.has(host) || advertised !== undefined) return;
  throw new SockJSError(
    'ERR_SETTING',
    `listen.host of createCluster is ${host}, to which other nodes cannot connect. Set it to the private address of ` +
      'this machine, or set advertise.host.',
  );
}

/** @throws SockJSError `ERR_SETTING` for a missing backplane, an unknown option or an invalid value */
export function checkClusterOptions(options: ClusterOptions): void {
  checkOptions('createCluster', options, RULES, ALIASES);
  const { backplane, listen = {}, advertise = {} } = options;
  checkOptions('listen of createCluster', listen, LISTEN_RULES);
  checkOptions('advertise of createCluster', advertise, ADVERTISE_RULES);
  checkReachable(listen.host, advertise.host);
  if (isBackplane(backplane)) return;
  // A value in its place, such as a URL, may contain a password.
  const text = `backplane of createCluster must be ${EXPECTED_BACKPLANE}, not ${describeType(backplane)}.`;
  throw new SockJSError('ERR_SETTING', text);
}
