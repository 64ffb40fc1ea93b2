/** Finds what a program does beyond the documented API of npm `sockjs`. */
import type { Specifier } from './specifiers.ts';
import type { Token } from './tokens.ts';

export interface Finding {
  /** Offset in the source. */
  readonly start: number;
  readonly message: string;
}

type Tokens = readonly Token[];

/** Members of `_session` that the drop-in has. */
const SESSION_MEMBERS = new Set(
  'close connection decorateConnection didClose didMessage didTimeout prefix readyState recv send send_buffer session_id'.split(
    ' ',
  ),
);

const DEFLATE = 'permessage-deflate';
/** Limit for the value of an option, in tokens. */
const MAX_OPTION_TOKENS = 200;

const OPENING = new Set(['(', '[', '{']);
const CLOSING = new Set([')', ']', '}']);
const REGEXP_CHARACTER = /[\\^$*+?()[\]{}|]/;

function sessionMessage(member: Token | undefined): string {
  if (member?.kind !== 'word') return '`_session` is private. Use the connection instead.';
  return SESSION_MEMBERS.has(member.text)
    ? `\`_session.${member.text}\` is private. The drop-in has it: test this line.`
    : `\`_session.${member.text}\` is private, and the drop-in does not have it: remove this use.`;
}

/** Finds uses of the session behind a connection, which programs also pass to files that do not import `sockjs`. */
export function findSessionUses(tokens: Tokens): Finding[] {
  const found: Finding[] = [];
  for (const [index, { kind, text, start }] of tokens.entries()) {
    if (!text.includes('_session')) continue;
    const before = tokens[index - 1]?.text;
    const [next, ...others] = tokens.slice(index + 1, index + 4);
    if (kind === 'word' && text === '_session' && before === '.') {
      const [dot, member] = next?.text === '?' ? others : [next, ...others];
      found.push({ start, message: sessionMessage(dot?.text === '.' ? member : undefined) });
    }
    const isKey = before === '[' && next?.text === ']';
    if (kind === 'string' && text.slice(1, -1) === '_session' && isKey)
      found.push({ start, message: sessionMessage(undefined) });
  }
  return found;
}

function findPaths(specifiers: readonly Specifier[]): Finding[] {
  return specifiers
    .filter(({ name }) => name.startsWith('sockjs/'))
    .map(({ name, token: { start } }) => ({
      start,
      message: `\`${name}\` is private, and the drop-in has only the main module and lib/transport: remove this use.`,
    }));
}

/** Splits an object or an array into the tokens of its members. @param open index of its bracket */
function membersOf(tokens: Tokens, open: number): Tokens[] {
  const members: Token[][] = [[]];
  let depth = 0;
  for (const [index, token] of tokens.slice(open, open + MAX_OPTION_TOKENS).entries()) {
    if (CLOSING.has(token.text)) depth -= 1;
    if (depth === 0 && index > 0) break;
    if (depth === 1 && token.text === ',') members.push([]);
    else if (depth > 0) members.at(-1)?.push(token);
    if (OPENING.has(token.text)) depth += 1;
  }
  return members.filter(({ length }) => length > 0);
}

function withoutQuotes({ kind, text }: Token): string {
  return kind === 'string' ? text.slice(1, -1) : text;
}

/** Returns the names of variables with the module permessage-deflate. */
function deflateNames(tokens: Tokens, specifiers: readonly Specifier[]): Set<string> {
  const names = new Set([DEFLATE]);
  for (const { name, index } of specifiers) {
    if (name !== DEFLATE) continue;
    // `name = require('…')` or `import name from '…'`.
    const offset = tokens[index - 1]?.text === '(' ? 4 : 2;
    const variable = tokens[index - offset];
    if (variable !== undefined) names.add(variable.text);
  }
  return names;
}

/** Finds members of one `faye_server_options`. @param value index of its value */
function findFayeMembers(tokens: Tokens, value: number, deflate: ReadonlySet<string>): Finding[] {
  const first = tokens[value];
  if (first === undefined || first.text === 'null' || first.text === 'undefined') return [];
  const { start } = first;
  if (first.text !== '{') {
    const message =
      'Check this value: of `faye_server_options`, only `extensions` with permessage-deflate and `maxLength` have an effect.';
    return [{ start, message }];
  }
  return membersOf(tokens, value).flatMap((member) => {
    const [key] = member;
    if (key === undefined) return [];
    const name = withoutQuotes(key);
    if (name === 'maxLength') return [];
    const open = member.findIndex(({ text }) => text === '[');
    const isDeflate = (extension: Tokens): boolean =>
      extension.some((token) => deflate.has(withoutQuotes(token)));
    if (name === 'extensions' && open >= 0 && membersOf(member, open).every(isDeflate)) return [];
    const message =
      name === 'extensions'
        ? 'Of `faye_server_options.extensions`, only permessage-deflate has an effect: remove the others.'
        : `\`faye_server_options.${name}\` has no effect: remove it.`;
    return [{ start: key.start, message }];
  });
}

function findOptions(tokens: Tokens, specifiers: readonly Specifier[]): Finding[] {
  const deflate = deflateNames(tokens, specifiers);
  const found: Finding[] = [];
  for (const [index, token] of tokens.entries()) {
    const name = withoutQuotes(token);
    const isSet = tokens[index + 1]?.text === ':' || tokens[index + 1]?.text === '=';
    const value = tokens[index + 2];
    if (!isSet || value === undefined) continue;
    if (name === 'faye_server_options') found.push(...findFayeMembers(tokens, index + 2, deflate));
    if (name !== 'prefix') continue;
    if (value.kind === 'regexp')
      found.push({
        start: value.start,
        message:
          'The prefix is the text of a regular expression, not a regular expression: write it as a string.',
      });
    else if (value.kind === 'string' && REGEXP_CHARACTER.test(withoutQuotes(value)))
      found.push({
        start: value.start,
        message:
          'The prefix is a regular expression. The drop-in accepts it, but `SockJSRouter` has plain prefixes.',
      });
  }
  return found;
}

function findCloseCodes(tokens: Tokens): Finding[] {
  return tokens
    .filter(
      ({ kind, text }, index) =>
        kind === 'word' &&
        text === 'close' &&
        tokens[index - 1]?.text === '.' &&
        tokens[index + 1]?.text === '(' &&
        tokens[index + 2]?.kind === 'string',
    )
    .map(({ start }) => ({
      start,
      message:
        'If this closes a connection, its first argument is the code: use a number, such as 4000.',
    }));
}

/** Finds private uses in a program that uses `sockjs`. @param specifiers those that stay */
export function findPrivateUses(tokens: Tokens, specifiers: readonly Specifier[]): Finding[] {
  return [...findPaths(specifiers), ...findOptions(tokens, specifiers), ...findCloseCodes(tokens)];
}
