import { describeValue } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
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
