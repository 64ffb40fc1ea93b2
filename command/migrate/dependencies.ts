/** Finds the packages of a project that depend on `sockjs`. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Note } from './program.ts';

export interface DependencyReport {
  readonly notes: readonly Note[];
  /** Packages that depend on `sockjs`. */
  readonly dependents: readonly string[];
  /** Whether all packages get another package in place of `sockjs`. */
  readonly isOverridden: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** Packages that are known to depend on `sockjs`, for projects without a lock file. */
const KNOWN_DEPENDENTS = [
  '@angular-devkit/build-angular',
  '@docusaurus/core',
  '@vue/cli-service',
  'react-scripts',
  'shoe',
  'webpack-dev-server',
];

const DEPENDENCY_FIELDS = [
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'peerDependencies',
];

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function field(value: unknown, name: string): Fields {
  const member = isFields(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return isFields(member) ? member : {};
}

/** Specification of the package that replaces `sockjs`. Both packages have the same version. */
export function dropInSpecification(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  const own: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
  return `npm:sockjs-server-drop-in@^${String(Reflect.get(Object(own), 'version'))}`;
}

function noteFor(text: string, name: string, message: string): Note {
  const start = text.search(new RegExp(`"${name}"\\s*:`));
  return { line: text.slice(0, start).split('\n').length, message };
}

function checkManifest(text: string): DependencyReport {
  const manifest: unknown = JSON.parse(text);
  const dependencies = Object.fromEntries(
    DEPENDENCY_FIELDS.flatMap((name) => Object.entries(field(manifest, name))),
  );
  const notes: Note[] = [];
  const specification = dependencies['sockjs'];
  if (typeof specification === 'string' && !specification.includes('sockjs-server')) {
    const message = `Remove the dependency \`sockjs\`. If a package such as primus requires it, replace it: "sockjs": "${dropInSpecification()}".`;
    notes.push(noteFor(text, 'sockjs', message));
  }
  if ('@types/sockjs' in dependencies)
    notes.push(
      noteFor(text, '@types/sockjs', 'Remove `@types/sockjs`: sockjs-server has its own types.'),
    );
  const overrides = [
    field(manifest, 'overrides'),
    field(manifest, 'resolutions'),
    field(field(manifest, 'pnpm'), 'overrides'),
  ];
  return {
    notes,
    dependents: KNOWN_DEPENDENTS.filter((name) => name in dependencies),
    isOverridden: overrides.some((each) => 'sockjs' in each),
  };
}

/** Reads the dependents of the first version of npm's lock files. */
function* nestedDependents(dependencies: Fields): Generator<string> {
  for (const [name, entry] of Object.entries(dependencies)) {
    if ('sockjs' in field(entry, 'requires')) yield name;
    yield* nestedDependents(field(entry, 'dependencies'));
  }
}

const FOLDER = 'node_modules/';

function npmDependents(text: string): string[] {
  const lock: unknown = JSON.parse(text);
  const packages = Object.entries(field(lock, 'packages'))
    .filter(([path]) => path.includes(FOLDER))
    .filter(([, entry]) => DEPENDENCY_FIELDS.some((name) => 'sockjs' in field(entry, name)))
    .map(([path]) => path.slice(path.lastIndexOf(FOLDER) + FOLDER.length));
  return [...packages, ...nestedDependents(field(lock, 'dependencies'))];
}

const PACKAGE_LINE = /^ {0,2}["']?(?<name>(?:@[^/\s"']+\/)?[^@\s"':]+)@(?!workspace:).*:$/;
/** In a lock file of pnpm, a package in place of `sockjs` stands before its version. */
const SOCKJS_LINE = /^ {4,6}["']?sockjs["']?:? (?!\/?sockjs-server)/;

/** Reads the lock files of Yarn and pnpm: a line for each package, and indented lines for its dependencies. */
function indentedDependents(text: string): string[] {
  const found: string[] = [];
  let name: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const match = PACKAGE_LINE.exec(line);
    if (match !== null || /^\S/.test(line)) name = match?.groups?.['name'];
    else if (name !== undefined && SOCKJS_LINE.test(line)) found.push(name);
  }
  return found;
}

/** @throws an error if the file is not valid */
export function checkDependencies(path: string, text: string): DependencyReport {
  if (basename(path) === 'package.json') return checkManifest(text);
  const dependents = path.endsWith('.json') ? npmDependents(text) : indentedDependents(text);
  return { notes: [], dependents: [...new Set(dependents)].toSorted(), isOverridden: false };
}
