/**
 * `docs/compatibility.md`: rendered from measurements, one section for each engine, and read back to be
 * compared. The line with the version of a browser is not compared: an update is no difference.
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { EngineName } from './engines.ts';
import { type Cell, type Measurement, type Outcome, ORIGINS, TRANSPORTS } from './measurement.ts';

const FILE = new URL('../../docs/compatibility.md', import.meta.url);

const HEAD = `# Compatibility

What the transports of sockjs-client 1.6.1 do in real browsers against this server. **This file is generated** from measurements:
\`npm run test:browsers\` measures again and fails where it no longer matches, except for the versions; \`npx node e2e/browsers/write-matrix.ts\`
writes it anew.

- **works**: the client connects; every character of U+0000 to U+FFFF, 500 messages in order and one of 256 KiB come through both ways; both
  sides close, and the other learns of it; so it does when the server is killed, the page reloaded or the tab closed; and a new client
  connects once the server is back.
- **works with \`document.domain\`**: the same, on a page that has run \`document.domain = document.domain\`. On a page that has not, the
  client gives the transport up: the frame in which htmlfile comes sets it, and browsers that still honour it then keep the two apart.
- **not offered**: the client does not try this transport there.
- **refused**: the page's origin is not in \`allowedOrigins\`. The client closes, no session opens on the server, whose log names the setting; and
  so it is when the client gets past \`/info\`.

The page comes from one port of a host, and the other origin is another port. sockjs-client also has \`xdr-streaming\` and \`xdr-polling\`, for
Internet Explorer 8 and 9 only.
`;

const WORDS: { readonly [O in Outcome]: string } = {
  works: 'works',
  'works with document.domain': 'works with `document.domain`',
  'not offered': 'not offered',
  refused: 'refused',
};

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

const VERSION_LINE = /^Measured with .*\n/gm;

/** The section of one engine. Remarks are numbered below the table. */
function renderSection({ engine, version, cells }: Measurement): string {
  const inOrder = TRANSPORTS.flatMap((name) => cells.filter(({ transport }) => transport === name));
  const remarks = [...new Set(inOrder.flatMap((cell) => cell.remarks))];
  const quoteForLog = (cell: Cell | undefined): string => {
    if (cell === undefined) return '–';
    const numbers = cell.remarks.map((remark) => remarks.indexOf(remark) + 1);
    return [WORDS[cell.outcome], ...numbers.map((number) => `(${number})`)].join(' ');
  };
  const rows = TRANSPORTS.map((transport) => {
    const ofTransport = cells.filter((cell) => cell.transport === transport);
    return row([
      `\`${transport}\``,
      ...ORIGINS.map((origin) => quoteForLog(ofTransport.find((cell) => cell.origin === origin))),
    ]);
  });
  const lines = [
    `## ${engine}`,
    '',
    `Measured with ${engine} ${version}.`,
    '',
    row(['transport', ...ORIGINS]),
    row(['---', ...ORIGINS.map(() => '---')]),
    ...rows,
    '',
    ...remarks.map((remark, index) => `${index + 1}. ${remark}`),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

/** What is compared of a measurement. */
export function sectionOf(measurement: Measurement): string {
  return renderSection(measurement).replaceAll(VERSION_LINE, '');
}

/** What the file says of an engine; '' if it says nothing. */
export async function recordedSection(engine: EngineName): Promise<string> {
  const sections = (await readFile(FILE, 'utf8')).split(/^(?=## )/m);
  const own = sections.find((section) => section.startsWith(`## ${engine}\n`)) ?? '';
  return `${own.replaceAll(VERSION_LINE, '').trimEnd()}\n`;
}

/** What stands above the sections, as the file has it and as it should be. */
export async function heads(): Promise<{ readonly recorded: string; readonly expected: string }> {
  const [recorded = ''] = (await readFile(FILE, 'utf8')).split(/^(?=## )/m);
  return { recorded: recorded.trimEnd(), expected: HEAD.trimEnd() };
}

export async function writeMatrix(measurements: readonly Measurement[]): Promise<void> {
  await writeFile(FILE, [HEAD, ...measurements.map(renderSection)].join('\n'));
}
