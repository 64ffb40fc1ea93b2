import { escapeControl } from './errors.ts';

const MAX_QUOTED_LENGTH = 100;

/** Quotes a client's text for a log line: cut, and with every control character escaped. */
export function quoteForLog(text: string): string {
  const cut = text.length > MAX_QUOTED_LENGTH ? `${text.slice(0, MAX_QUOTED_LENGTH)}…` : text;
  return escapeControl(JSON.stringify(cut));
}
