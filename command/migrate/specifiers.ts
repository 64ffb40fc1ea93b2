/** Finds the names of modules in a program. */
import type { Token } from './tokens.ts';

export interface Specifier {
  /** Name of the module. */
  readonly name: string;
  /** Index of its token. */
  readonly index: number;
  readonly token: Token;
}

/** Functions whose first argument is the name of a module. `)` stands for a call, as in `jest.mock('a').mock('b')`. */
const LOADER =
  /^(?:(?:module\.)?require|import|require\.resolve|meta\.resolve|proxyquire|rewire|mock\.module|mockery\.register\w+|td\.replace(?:Esm)?|(?:jest|vi|vitest|\))\.\w*(?:[mM]ock|Actual)\w*)$/;

const IN_IMPORT_CLAUSE = new Set(['{', '}', ',', '*']);
/** Tokens before a name in a clause that is a string. */
const BEFORE_NAME = new Set(['{', ',', 'as']);

/** Limit for the type arguments of a call, in tokens. */
const MAX_TYPE_ARGUMENTS = 200;

/** Skips the type arguments of a call, backwards. @param index of the token before the parenthesis */
function skipTypeArguments(tokens: readonly Token[], index: number): number {
  let depth = 0;
  for (let at = index; at > index - MAX_TYPE_ARGUMENTS; at -= 1) {
    const text = tokens[at]?.text;
    if (text === '>') depth += 1;
    else if (text === '<') depth -= 1;
    if (depth === 0) return text === '<' ? at - 1 : at;
  }
  return index;
}

/** Returns the called function, with the object before it. @param index of the parenthesis */
function calleeOf(tokens: readonly Token[], index: number): string {
  const end = skipTypeArguments(tokens, index - 1);
  const name = tokens[end]?.text ?? '';
  return tokens[end - 1]?.text === '.' ? `${tokens[end - 2]?.text}.${name}` : name;
}

/** Finds the specifiers of imports, exports, and calls such as `require` and `jest.mock`. */
export function findSpecifiers(tokens: readonly Token[]): Specifier[] {
  const found: Specifier[] = [];
  let inClause = false;
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1]?.text;
    if (token.kind === 'string') {
      const isImported = inClause && (before === 'import' || before === 'from');
      if (isImported || (before === '(' && LOADER.test(calleeOf(tokens, index - 1))))
        found.push({ name: token.text.slice(1, -1), index, token });
    }
    if (token.text === 'import' || token.text === 'export') inClause = before !== '.';
    else if (token.kind === 'string') inClause &&= BEFORE_NAME.has(before ?? '');
    else inClause &&= token.kind === 'word' || IN_IMPORT_CLAUSE.has(token.text);
  }
  return found;
}
