import { describeValue } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import { MILLISECONDS } from '../base/setting-rules.ts';
import type { Authorize } from '../http/authorize.ts';
import type { HostSettings } from '../http/exchange.ts';
import type { HttpSettings } from '../http/router-state.ts';
import type { RouteSettings } from '../routes/route-table.ts';
import type { SessionSettings } from '../sessions/session-settings.ts';
import { suggestSetting } from './setting-aliases.ts';
import { SETTING_DEFINITIONS } from './setting-definitions.ts';

type Definitions = typeof SETTING_DEFINITIONS;

/** All settings of a router, with defaults filled in. Times are in milliseconds, sizes in bytes. */
export type ResolvedSettings<User = unknown> = {
  readonly [Name in keyof Definitions]: Name extends 'authorize'
    ? Authorize<User> | undefined
    : Definitions[Name]['defaultValue'];
};

/** Settings of a router. All are optional. Times are in milliseconds, sizes in bytes. */
export type SockJSSettings<User = unknown> = {
  readonly [Name in keyof Definitions]?: ResolvedSettings<User>[Name] | undefined;
};

/** The settings that the layers read. */
type LayerSettings = SessionSettings & HttpSettings & HostSettings & RouteSettings;

function isSettingName(name: string): name is keyof Definitions {
  return Object.hasOwn(SETTING_DEFINITIONS, name);
}

function checkSetting(name: string, value: unknown): void {
  if (!isSettingName(name)) {
    const names = Object.keys(SETTING_DEFINITIONS).join(', ');
    const sentences = [
      `There is no setting '${name}'.`,
      suggestSetting(name),
      `Use one of these names: ${names}.`,
    ];
    throw new SockJSError('ERR_SETTING', sentences.filter((text) => text !== '').join(' '));
  }
  const { rule } = SETTING_DEFINITIONS[name];
  if (value !== undefined && !rule.isValid(value)) {
    const explanation = rule.explain?.(value);
    const expectation = `${name} must be ${rule.expected}, not ${describeValue(value)}.`;
    throw new SockJSError(
      'ERR_SETTING',
      explanation === undefined ? expectation : `${explanation} ${expectation}`,
    );
  }
}

/** A default from which on a much shorter time is probably a number of seconds. */
const LONG_TIME_MS = 5000;
/** A heartbeat every few milliseconds is a mistake even if it is one of milliseconds. */
const MIN_HEARTBEAT_MS = 1000;
const MIN_TIME_MS = 100;

/** Returns a warning for each time that is so short that it is probably given in seconds. */
export function findShortTimes(settings: ResolvedSettings): readonly string[] {
  const warnings: string[] = [];
  for (const [name, { rule, defaultValue }] of Object.entries(SETTING_DEFINITIONS)) {
    const value: unknown = Reflect.get(settings, name);
    if (rule !== MILLISECONDS || typeof defaultValue !== 'number') continue;
    if (defaultValue < LONG_TIME_MS) continue;
    const minimum = name === 'heartbeatDelay' ? MIN_HEARTBEAT_MS : MIN_TIME_MS;
    if (typeof value === 'number' && value < minimum)
      warnings.push(
        `${name} is ${value} ms. Times are in milliseconds: the default is ${defaultValue} ms.`,
      );
  }
  return warnings;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `fromEntries` loses the names
const DEFAULTS = Object.fromEntries(
  Object.entries(SETTING_DEFINITIONS).map(([name, { defaultValue }]) => [name, defaultValue]),
) as ResolvedSettings;

/**
 * Validates settings and fills in the defaults. An undefined setting counts as missing.
 * @throws SockJSError `ERR_SETTING` for an unknown name or an invalid value
 */
export function resolveSettings(input: SockJSSettings): ResolvedSettings {
  if (typeof input !== 'object' || input === null) {
    throw new SockJSError(
      'ERR_SETTING',
      `The settings must be an object, not ${describeValue(input)}.`,
    );
  }
  for (const [name, value] of Object.entries(input)) checkSetting(name, value);
  const given = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  );
  const settings: ResolvedSettings = { ...DEFAULTS, ...given };
  const { highWaterMark, maxBufferedBytes, maxTotalBufferedBytes } = settings;
  const { maxBufferedBytesPerAddress = Math.ceil(maxTotalBufferedBytes / 4) } = input;
  return Object.freeze({
    ...settings,
    // `send` must return false before the limit closes a client.
    highWaterMark: Math.min(highWaterMark, maxBufferedBytes),
    maxBufferedBytesPerAddress,
  }) satisfies LayerSettings;
}
