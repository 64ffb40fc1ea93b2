/** Migrates the text of one program. */
import { type Finding, findPrivateUses, findSessionUses } from './private-uses.ts';
import { type Specifier, findSpecifiers } from './specifiers.ts';
import { tokenize } from './tokens.ts';

const DROP_IN = 'sockjs-server/sockjs';
const DROP_IN_TRANSPORT = `${DROP_IN}/transport`;

const REPLACEMENTS = new Map([
  ['sockjs', DROP_IN],
  ['sockjs/lib/transport', DROP_IN_TRANSPORT],
  ['sockjs/lib/transport.js', DROP_IN_TRANSPORT],
]);

/** `sockjs`, one of its files, or the drop-in. */
const SOCKJS_MODULE = /^(?:sockjs-server\/)?sockjs(?:\/|$)/;

export interface Note {
  readonly line: number;
  readonly message: string;
}

export interface ProgramReport {
  readonly usesSockJS: boolean;
  readonly rewritten: readonly Note[];
  /** Lines to check by hand. */
  readonly notes: readonly Note[];
  /** Uses of `_session`. They matter if another program of the same project uses `sockjs`. */
  readonly sessionUses: readonly Note[];
}

export interface Migration extends ProgramReport {
  /** The program with the new names of modules. */
  readonly text: string;
}

function rewrite(text: string, specifiers: readonly Specifier[]): string {
  const parts: string[] = [];
  let copied = 0;
  for (const { name, token } of specifiers) {
    const start = token.start + 1;
    parts.push(text.slice(copied, start), REPLACEMENTS.get(name) ?? name);
    copied = start + name.length;
  }
  return parts.join('') + text.slice(copied);
}

/** Sorts findings, and adds their lines. */
function toNotes(text: string, findings: readonly Finding[]): Note[] {
  let line = 1;
  let position = 0;
  return findings
    .toSorted((one, other) => one.start - other.start)
    .map(({ start, message }) => {
      for (; position < start; position += 1) if (text[position] === '\n') line += 1;
      return { line, message };
    });
}

function unterminatedFinding(start: number): Finding {
  return { start, message: 'This comment or template does not end: check the rest of the file.' };
}

/** @param text source of a program, decoded as UTF-8 or Latin-1 */
export function migrateProgram(text: string): Migration {
  if (!/sockjs|_session/.test(text))
    return { text, usesSockJS: false, rewritten: [], notes: [], sessionUses: [] };
  const { tokens, unterminated } = tokenize(text);
  const specifiers = findSpecifiers(tokens);
  const replaced = specifiers.filter(({ name }) => REPLACEMENTS.has(name));
  const others = specifiers.filter(({ name }) => !REPLACEMENTS.has(name));
  const usesSockJS = specifiers.some(({ name }) => SOCKJS_MODULE.test(name));
  const findings = usesSockJS ? findPrivateUses(tokens, others) : [];
  if (unterminated !== undefined) findings.push(unterminatedFinding(unterminated));
  const changes = replaced.map(({ name, token }) => ({
    start: token.start,
    message: `\`${name}\` becomes \`${REPLACEMENTS.get(name)}\`.`,
  }));
  return {
    text: rewrite(text, replaced),
    usesSockJS,
    rewritten: toNotes(text, changes),
    notes: toNotes(text, findings),
    sessionUses: toNotes(text, findSessionUses(tokens)),
  };
}
