/** Prints what a migration has found. */
import { basename, dirname, relative } from 'node:path';
import { type DependencyReport, dropInSpecification } from './dependencies.ts';
import type { Note, ProgramReport } from './program.ts';

/** Results by the absolute paths of their files. */
export interface Results {
  readonly programs: ReadonlyMap<string, ProgramReport>;
  readonly dependencies: ReadonlyMap<string, DependencyReport>;
}

/** Returns the lines of the report for one file, each once. */
function reportLines(path: string, notes: readonly Note[]): string[] {
  const sorted = notes.toSorted((one, other) => one.line - other.line);
  return [
    ...new Set(sorted.map(({ line, message }) => `${relative('', path)}:${line}: ${message}`)),
  ];
}

function printNotes(path: string, notes: readonly Note[]): void {
  for (const line of reportLines(path, notes)) console.log(line);
}

function countLines(notes: readonly Note[]): number {
  return new Set(notes.map(({ line }) => line)).size;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

const PNPM_LOCK = 'pnpm-lock.yaml';

/**
 * Prints the packages that need an override, and its text. A lock file has all of them, `package.json` only those of
 * the project itself. The overrides of pnpm are elsewhere, but its lock file names the package in place of `sockjs`.
 */
function printDependents(dependencies: Results['dependencies']): void {
  const reports = [...dependencies];
  const overridden = new Set(
    reports.filter(([, { isOverridden }]) => isOverridden).map(([path]) => dirname(path)),
  );
  const locks = reports.filter(([path]) => basename(path) !== 'package.json');
  const open = (locks.length > 0 ? locks : reports).filter(
    ([path, { dependents }]) =>
      dependents.length > 0 && (basename(path) === PNPM_LOCK || !overridden.has(dirname(path))),
  );
  if (open.length === 0) return;
  for (const [path, { dependents }] of open)
    for (const name of dependents)
      console.log(`${relative('', path)}: \`${name}\` depends on \`sockjs\`.`);
  const entry = `{ "sockjs": "${dropInSpecification()}" }`;
  console.log(`To replace it there, add this and install again:
  npm, in package.json:         "overrides": ${entry}
  Yarn, in package.json:        "resolutions": ${entry}
  pnpm, in pnpm-workspace.yaml: overrides: ${entry}`);
}

/** @param isWritten whether the files have been written */
export function printReport({ programs, dependencies }: Results, isWritten: boolean): void {
  const usesSockJS = [...programs.values()].some((program) => program.usesSockJS);
  let names = 0;
  let files = 0;
  let toCheck = 0;
  for (const [path, { rewritten, notes, sessionUses }] of programs) {
    const checks = [...notes, ...(usesSockJS ? sessionUses : [])];
    printNotes(path, [...rewritten, ...checks]);
    names += rewritten.length;
    files += rewritten.length > 0 ? 1 : 0;
    toCheck += countLines(checks);
  }
  for (const [path, { notes }] of dependencies) {
    printNotes(path, notes);
    toCheck += countLines(notes);
  }
  printDependents(dependencies);
  const rewrites = `${count(names, 'module name')} in ${count(files, 'file')}`;
  console.log(
    `${rewrites} ${isWritten ? 'rewritten' : 'to rewrite'}, ${count(toCheck, 'line')} to check.`,
  );
  if (!isWritten && names > 0) console.log('No file is changed without --write.');
}
