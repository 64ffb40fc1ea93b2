/** Generates docs/settings.md from the definitions of the settings and their doc comments. */
import { readFileSync } from 'node:fs';
import type { Setting } from '../src/api/setting.ts';
import {
  GROUPS_AND_CLUSTER,
  INPUT_LIMITS,
  LOGGING,
  ORIGINS_AND_AUTHENTICATION,
  OUTPUT_LIMITS,
  PROXIES,
  SESSIONS,
  TIMEOUTS,
  TRANSPORTS,
} from '../src/api/setting-definitions.ts';

/** Groups of settings, by the task of the reader. */
export const SETTING_GROUPS: Readonly<Record<string, Readonly<Record<string, Setting<unknown>>>>> =
  {
    'Origins and authentication': ORIGINS_AND_AUTHENTICATION,
    Proxies: PROXIES,
    Timeouts: TIMEOUTS,
    'Input limits': INPUT_LIMITS,
    'Output limits and slow clients': OUTPUT_LIMITS,
    Sessions: SESSIONS,
    'Groups and cluster': GROUPS_AND_CLUSTER,
    'Transports and compatibility': TRANSPORTS,
    Logging: LOGGING,
  };

const SOURCE = new URL('../src/api/setting-definitions.ts', import.meta.url);

const HEAD = `<!-- Generated from src/api/setting-definitions.ts by \`npm run docs\`. Edit that file. -->

# Settings

The third argument of \`new SockJSRouter(Connection, prefix, settings)\`. Every setting is optional. An unknown name or an invalid
value throws a \`SockJSError\` with the code \`ERR_SETTING\`. Its message lists what is allowed.

Times are in milliseconds, sizes in bytes.
`;

const UNITS: Readonly<Record<string, readonly (readonly [size: number, symbol: string])[]>> = {
  milliseconds: [
    [60_000, 'min'],
    [1000, 's'],
  ],
  bytes: [
    [1024 ** 3, 'GiB'],
    [1024 ** 2, 'MiB'],
    [1024, 'KiB'],
  ],
};

/** Returns the texts of doc comments, by the name of the property below each. */
function docComments(source: string): Map<string, string> {
  const comments = source.matchAll(/^ {2}\/\*\*((?:(?!\*\/)[^])*)\*\/\n {2}(\w+): /gm);
  return new Map(
    Array.from(comments, ([, comment = '', name = '']) => [
      name,
      comment.replaceAll(/^\s*\* ?/gm, '').trim(),
    ]),
  );
}

function describeNumber(value: number, unit: string): string {
  const digits = String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
  const larger = UNITS[unit]?.find(([size]) => value >= size && value % size === 0);
  const rounded = larger === undefined ? '' : ` (${value / larger[0]} ${larger[1]})`;
  return `${digits} ${unit}${rounded}`;
}

function describeDefault({ defaultValue, defaultText, rule }: Setting<unknown>): string {
  if (defaultText !== undefined) return defaultText;
  if (typeof defaultValue === 'number') return describeNumber(defaultValue, rule.unit ?? '');
  if (typeof defaultValue === 'string') return `\`'${defaultValue}'\``;
  return defaultValue === undefined ? 'none' : `\`${JSON.stringify(defaultValue)}\``;
}

function sectionOf(name: string, setting: Setting<unknown>, comment: string | undefined): string {
  if (comment === undefined) throw new Error(`The setting ${name} has no doc comment.`);
  return `### \`${name}\`

${comment}

- Default: ${describeDefault(setting)}
- Allowed: ${setting.rule.expected}
`;
}

function linkTo(name: string): string {
  return `[\`${name}\`](#${name.toLowerCase()})`;
}

/** @param source of the definitions, whose doc comments become the texts of the page */
export function settingsPage(source: string = readFileSync(SOURCE, 'utf8')): string {
  const comments = docComments(source);
  const groups = Object.entries(SETTING_GROUPS);
  const overview = groups.map(
    ([title, settings]) => `| ${title} | ${Object.keys(settings).map(linkTo).join(', ')} |\n`,
  );
  const sections = groups.map(([title, settings]) =>
    [
      `## ${title}\n`,
      ...Object.entries(settings).map(([name, setting]) =>
        sectionOf(name, setting, comments.get(name)),
      ),
    ].join('\n'),
  );
  return [HEAD, `| group | settings |\n| --- | --- |\n${overview.join('')}`, ...sections].join(
    '\n',
  );
}
