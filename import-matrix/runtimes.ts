/** The runtimes on which the packed package is probed. */
import { join } from 'node:path';
import { installNode, installOnce } from '../test/package/project.ts';

/** What differs between the runtimes. */
export interface Traits {
  /** Globals that the browser client needs for a transport. */
  readonly hasWebSocket: boolean;
  readonly hasEventSource: boolean;
  /** Whether an upgrade that the listeners of the application ignore gets 404. */
  readonly refusesIgnoredUpgrades: boolean;
  /** Whether `requestTimeout` ends a body that goes on after its response. */
  readonly limitsLateBodies: boolean;
}

export interface Runtime {
  readonly name: 'Node.js' | 'Bun' | 'Deno';
  /** Range of versions, of which the newest is installed. */
  readonly version: string;
  /** Installs it. @returns the command that runs a program, without the name of the program */
  readonly install: () => Promise<readonly [command: string, ...args: string[]]>;
  readonly traits: Traits;
}

const { arch, platform } = process;
const SUFFIX = platform === 'win32' ? '.exe' : '';

// The packages with the binaries for this machine, since `bun` and `deno` themselves need an install script.
const BUN_PACKAGE = [
  '@oven/bun',
  platform === 'win32' ? 'windows' : platform,
  arch === 'arm64' ? 'aarch64' : arch,
].join('-');
const DENO_PACKAGE = `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`;

const NODE_TRAITS: Traits = {
  hasWebSocket: true,
  hasEventSource: false,
  refusesIgnoredUpgrades: true,
  limitsLateBodies: true,
};

function node(version: string, traits: Partial<Traits> = {}): Runtime {
  // The tests themselves run on 24.
  const install = async (): Promise<[string]> => [
    process.versions.node.startsWith(`${version}.`) ? process.execPath : await installNode(version),
  ];
  return { name: 'Node.js', version, install, traits: { ...NODE_TRAITS, ...traits } };
}

function bun(version: string): Runtime {
  const install = async (): Promise<[string]> => [
    join(await installOnce('bun', BUN_PACKAGE, version), 'bin', `bun${SUFFIX}`),
  ];
  // Bun adds a listener to the socket, which then seems to be used.
  return {
    name: 'Bun',
    version,
    install,
    traits: { ...NODE_TRAITS, refusesIgnoredUpgrades: false },
  };
}

function deno(version: string): Runtime {
  const install = async (): Promise<[string, ...string[]]> => {
    const directory = await installOnce('deno', DENO_PACKAGE, version);
    return [join(directory, `deno${SUFFIX}`), 'run', '--allow-all', '--cached-only'];
  };
  const traits = { ...NODE_TRAITS, hasEventSource: true, limitsLateBodies: false };
  return { name: 'Deno', version, install, traits };
}

export const RUNTIMES: readonly Runtime[] = [
  node('20.19', { hasWebSocket: false }),
  node('22'),
  node('24'),
  node('26'),
  bun('1.4'),
  deno('2.9'),
];

const ROWS: readonly (readonly [behaviour: string, cell: (traits: Traits) => string])[] = [
  ['`sockjs-server/client` over `websocket`', (traits) => (traits.hasWebSocket ? 'yes' : 'no (1)')],
  [
    '`sockjs-server/client` over `eventsource`',
    (traits) => (traits.hasEventSource ? 'yes' : 'no (1)'),
  ],
  [
    'upgrade that the listeners of the application ignore',
    (traits) => (traits.refusesIgnoredUpgrades ? '404 after 3 s' : 'stays open (2)'),
  ],
  [
    'body that goes on after its response',
    (traits) => (traits.limitsLateBodies ? 'ends with `requestTimeout`' : 'read and dropped (3)'),
  ],
];

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** The table of docs/compatibility.md. */
export function renderDifferences(): string {
  const names = RUNTIMES.map(({ name, version }) => `${name} ${version}`);
  return [
    row(['behaviour', ...names]),
    row(['---', ...names.map(() => '---')]),
    ...ROWS.map(([behaviour, cell]) =>
      row([behaviour, ...RUNTIMES.map(({ traits }) => cell(traits))]),
    ),
  ].join('\n');
}
