/**
 * Splits JavaScript, TypeScript and JSX into tokens, without comments, in linear time. Code that it misunderstands,
 * such as quotes in the text of JSX, affects no more than its line.
 */

/** `word` is a name, a keyword or a number. `template` is a part of a template with substitutions. */
type TokenKind = 'word' | 'string' | 'template' | 'regexp' | 'punctuator';

export interface Token {
  readonly kind: TokenKind;
  /** The source text, with quotes. */
  readonly text: string;
  /** Offset of the source text. */
  readonly start: number;
}

export interface TokenizedSource {
  readonly tokens: readonly Token[];
  /** Offset of a comment or template that does not end. */
  readonly unterminated: number | undefined;
}

/** Opening bracket whose closing one has not been read. */
interface Opener {
  readonly text: string;
  /** Whether a slash after the closing bracket begins a regular expression. */
  readonly beforeRegExp: boolean;
}

/** Byte order mark, also one that is decoded as Latin-1, and the line that names an interpreter. */
const FILE_START = /^(?:\ufeff|\u00ef\u00bb\u00bf)?(?:#!.*)?/;
const SPACE = /\s+/y;
const LINE = /.*/y;
const WORD = /\d[\w.$]*|[\w$\\\u0080-\uffff]+/y;
const FLAGS = /[a-z]*/y;

const OPERATOR_KEYWORDS = new Set(
  'await case default delete in instanceof new of return throw typeof void yield'.split(' '),
);
const STATEMENT_KEYWORDS = new Set(['do', 'else']);
const KEYWORDS_WITH_PARENTHESES = new Set(['for', 'if', 'while', 'with']);
/** Punctuators before the brace of a block. After others a brace begins an object. */
const BEFORE_BLOCK = new Set([')', ';', '{', '}', '=>']);
/** Punctuators before an operator. `<` is here because of `</` in JSX. */
const BEFORE_OPERATOR = new Set([']', '<', '++', '--']);

/** Returns the end of a match that begins at an offset. @param pattern a sticky one */
function endOf(pattern: RegExp, source: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(source) ? pattern.lastIndex : start;
}

class Tokenizer {
  readonly tokens: Token[] = [];
  unterminated: number | undefined;
  readonly #source: string;
  readonly #openers: Opener[] = [];
  /** Offset up to which the source has no closing delimiter, by the delimiter. Without it, time would be quadratic. */
  readonly #unclosed = new Map<string, number>();
  #position: number;
  /** Whether a slash begins a regular expression. */
  #beforeRegExp = true;

  constructor(source: string) {
    this.#source = source;
    this.#position = FILE_START.exec(source)?.[0].length ?? 0;
  }

  run(): void {
    const source = this.#source;
    for (;;) {
      this.#position = endOf(SPACE, source, this.#position);
      if (this.#position >= source.length) return;
      this.#readNext();
    }
  }

  #readNext(): void {
    const source = this.#source;
    const start = this.#position;
    const character = source.charAt(start);
    if (source.startsWith('//', start)) this.#position = endOf(LINE, source, start);
    else if (source.startsWith('/*', start)) this.#skipComment();
    else if (character === '`') this.#readTemplate();
    else if (character === '}') this.#readClosingBrace();
    else if (character === "'" || character === '"') this.#readDelimited('string', character);
    else if (character === '/' && this.#mayBeRegExp()) this.#readDelimited('regexp', character);
    else {
      const end = endOf(WORD, source, start);
      if (end > start) this.#addWord(end);
      else this.#addPunctuator();
    }
  }

  #add(kind: TokenKind, end: number): string {
    const start = this.#position;
    const text = this.#source.slice(start, end);
    this.tokens.push({ kind, text, start });
    this.#position = end;
    this.#beforeRegExp = false;
    return text;
  }

  #skipComment(): void {
    const end = this.#source.indexOf('*/', this.#position + 2);
    if (end < 0) this.unterminated ??= this.#position;
    this.#position = end < 0 ? this.#source.length : end + 2;
  }

  #mayBeRegExp(): boolean {
    // `<A {...b} />` in JSX.
    const endsElement =
      this.#source.startsWith('/>', this.#position) && this.tokens.at(-1)?.text === '}';
    return this.#beforeRegExp && !endsElement;
  }

  /** Reads a string or a regular expression, or only its delimiter if it does not end on its line. */
  #readDelimited(kind: TokenKind, delimiter: string): void {
    const end = this.#findEnd(delimiter);
    if (end === undefined) this.#addPunctuator();
    else this.#add(kind, kind === 'regexp' ? endOf(FLAGS, this.#source, end) : end);
  }

  #findEnd(delimiter: string): number | undefined {
    const source = this.#source;
    if (this.#position < (this.#unclosed.get(delimiter) ?? 0)) return undefined;
    let inClass = false;
    let index = this.#position + 1;
    for (; index < source.length; index += 1) {
      const character = source[index];
      if (character === '\n' || character === '\r') break;
      if (character === '\\') index += source.startsWith('\r\n', index + 1) ? 2 : 1;
      else if (delimiter === '/' && character === '[') inClass = true;
      else if (delimiter === '/' && character === ']') inClass = false;
      else if (character === delimiter && !inClass) return index + 1;
    }
    this.#unclosed.set(delimiter, index);
    return undefined;
  }

  /** Reads a template up to its end or to its next substitution. */
  #readTemplate(): void {
    const source = this.#source;
    const start = this.#position;
    for (let index = start + 1; index < source.length; index += 1) {
      if (source[index] === '\\') index += 1;
      else if (source[index] === '`') {
        this.#add(source[start] === '`' ? 'string' : 'template', index + 1);
        return;
      } else if (source.startsWith('${', index)) {
        this.#add('template', index + 2);
        this.#openers.push({ text: '${', beforeRegExp: false });
        this.#beforeRegExp = true;
        return;
      }
    }
    this.unterminated ??= start;
    this.#add('template', source.length);
  }

  #addWord(end: number): void {
    const isMember = this.tokens.at(-1)?.text === '.';
    const word = this.#add('word', end);
    this.#beforeRegExp = !isMember && (OPERATOR_KEYWORDS.has(word) || STATEMENT_KEYWORDS.has(word));
  }

  #addPunctuator(): void {
    const source = this.#source;
    const before = this.tokens.at(-1);
    const isPair = ['=>', '++', '--'].some((pair) => source.startsWith(pair, this.#position));
    const text = this.#add('punctuator', this.#position + (isPair ? 2 : 1));
    this.#beforeRegExp = !BEFORE_OPERATOR.has(text);
    if (text === '(') {
      const beforeRegExp = KEYWORDS_WITH_PARENTHESES.has(before?.text ?? '');
      this.#openers.push({ text, beforeRegExp });
    } else if (text === '{') {
      this.#openers.push({ text, beforeRegExp: isBeforeBlock(before) });
    } else if (text === ')') {
      const opener = this.#openers.at(-1)?.text === '(' ? this.#openers.pop() : undefined;
      this.#beforeRegExp = opener?.beforeRegExp === true;
    }
  }

  #readClosingBrace(): void {
    let opener = this.#openers.pop();
    while (opener?.text === '(') opener = this.#openers.pop();
    if (opener?.text === '${') {
      this.#readTemplate();
    } else {
      this.#add('punctuator', this.#position + 1);
      this.#beforeRegExp = opener?.beforeRegExp !== false;
    }
  }
}

function isBeforeBlock(before: Token | undefined): boolean {
  if (before === undefined) return true;
  return before.kind === 'word'
    ? !OPERATOR_KEYWORDS.has(before.text)
    : BEFORE_BLOCK.has(before.text);
}

export function tokenize(source: string): TokenizedSource {
  const tokenizer = new Tokenizer(source);
  tokenizer.run();
  return tokenizer;
}
