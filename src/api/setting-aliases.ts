/** Names that other libraries give to settings, for the error about an unknown setting. */
import { closestName } from '../base/closest-name.ts';
import { SETTING_DEFINITIONS } from './setting-definitions.ts';

type SettingName = keyof typeof SETTING_DEFINITIONS;

/** Names of `sockjs`, sockjs-tornado, `ws`, `socket.io`, Spring and `cors`, in lower case without `_` and `-`. */
const ALIASES: Readonly<Record<string, SettingName>> = {
  allowrequest: 'authorize',
  auth: 'authorize',
  authenticate: 'authorize',
  compress: 'compression',
  connecttimeout: 'authorizeTimeout',
  cookie: 'jsessionid',
  cors: 'allowedOrigins',
  disablecors: 'corsHeaders',
  heartbeat: 'heartbeatDelay',
  heartbeatinterval: 'heartbeatDelay',
  heartbeattime: 'heartbeatDelay',
  log: 'logger',
  logging: 'logger',
  maxconnections: 'maxSessions',
  maxhttpbuffersize: 'maxMessageBytes',
  maxpayload: 'maxMessageBytes',
  origin: 'allowedOrigins',
  origins: 'allowedOrigins',
  permessagedeflate: 'compression',
  pinginterval: 'heartbeatDelay',
  ratelimit: 'maxMessagesPerSecond',
  streambyteslimit: 'responseLimit',
  transports: 'disabledTransports',
  trustproxy: 'trustedProxies',
  verifyclient: 'authorize',
  websocket: 'disabledTransports',
};

/** Options of other libraries that are no settings here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  path: 'The prefix is the second argument of SockJSRouter.',
  port: 'Pass the port to listen().',
  prefix: 'The prefix is the second argument of SockJSRouter.',
  server: 'Pass the server to attach().',
};

/** Returns a sentence that helps a developer who used an unknown setting, or ''. */
export function suggestSetting(unknown: string): string {
  if (Object.hasOwn(ELSEWHERE, unknown)) return ELSEWHERE[unknown] ?? '';
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `keys` loses the names
  const names = Object.keys(SETTING_DEFINITIONS) as SettingName[];
  const name = closestName(unknown, names, ALIASES);
  return name === undefined ? '' : `Did you mean \`${name}\`?`;
}
