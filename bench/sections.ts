/** Sections of RESULTS.md. Each is written by itself, and the others stay. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('RESULTS.md', import.meta.url);

/** Sections in their order. Before the first one comes this server beside others. */
const HEADINGS = [
  '## Drop-in for npm sockjs',
  '## HTTP/2',
  '## Versions of Node.js',
  '## Cluster',
] as const;

export type Heading = (typeof HEADINGS)[number];

function read(): string {
  return existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
}

/** Returns a section with its heading, or ''. */
function sectionOf(text: string, heading: Heading): string {
  const start = text.indexOf(`${heading}\n`);
  if (start < 0) return '';
  const end = text.indexOf('\n## ', start);
  return end < 0 ? text.slice(start) : text.slice(start, end + 1);
}

function write(main: string, sections: readonly string[]): void {
  const parts = [main, ...sections].filter((part) => part !== '');
  writeFileSync(FILE, `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`);
}

/** Writes the part before the sections. */
export function writeMain(main: string): void {
  const text = read();
  write(
    main,
    HEADINGS.map((heading) => sectionOf(text, heading)),
  );
}

/** @param section the section with its heading */
export function writeSection(heading: Heading, section: string): void {
  const text = read();
  const sections = HEADINGS.map((other) => sectionOf(text, other));
  const main = sections.reduce((rest, part) => rest.replace(part, ''), text);
  write(
    main,
    HEADINGS.map((other, index) => (other === heading ? section : (sections[index] ?? ''))),
  );
}
