/**
 * `docs/compatibility.md`: rendered from measurements with one section per engine, and read for comparison. The
 * line with the version of a browser is not compared, because updates change it. `import-matrix/runtimes.test.ts`
 * compares the section "Runtimes".
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { EngineName } from './engines.ts';
import { type Cell, type Measurement, type Outcome, ORIGINS, TRANSPORTS } from './measurement.ts';

const FILE = new URL('../../docs/compatibility.md', import.meta.url);

const HEAD = `# Compatibility

What the transports of sockjs-client 1.6.1 do in real browsers against this server, and the [runtimes](#runtimes) of the server. **The sections of
the browsers are generated** from measurements: \`npm run test:browsers\` measures again and fails where they no longer match, except for the
versions; \`npx node e2e/browsers/write-matrix.ts\` writes them again.

- **works**: the client connects; every character of U+0000 to U+FFFF, 500 messages in order and one of 256 KiB come through both ways; a
  close by either side reaches the other, and so does the end of a killed server, a reloaded page or a closed tab; a new client connects
  after the server has restarted.
- **works with \`document.domain\`**: the same, on a page that has run \`document.domain = document.domain\`. On other pages
  the client abandons the transport: the iframe of htmlfile sets \`document.domain\`, and browsers that still support it then isolate the iframe.
- **not offered**: the client does not try this transport there.
- **refused**: the page's origin is not in \`allowedOrigins\`. The client closes, no session opens on the server, and its log names the setting.
  A client whose \`/info\` was allowed is refused at its transport in the same way.

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
  const renderCell = (cell: Cell | undefined): string => {
    if (cell === undefined) return '–';
    const numbers = cell.remarks.map((remark) => remarks.indexOf(remark) + 1);
    return [WORDS[cell.outcome], ...numbers.map((number) => `(${number})`)].join(' ');
  };
  const rows = TRANSPORTS.map((transport) => {
    const ofTransport = cells.filter((cell) => cell.transport === transport);
    return row([
      `\`${transport}\``,
      ...ORIGINS.map((origin) => renderCell(ofTransport.find((cell) => cell.origin === origin))),
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

/** The section of an engine without the line that is not compared. */
export function sectionOf(measurement: Measurement): string {
  return renderSection(measurement).replaceAll(VERSION_LINE, '');
}

/** A section as the file has it; empty if there is none. */
async function readSection(name: string): Promise<string> {
  const sections = (await readFile(FILE, 'utf8')).split(/^(?=## )/m);
  return sections.find((section) => section.startsWith(`## ${name}\n`)) ?? '';
}

/** The section of an engine as the file has it, without the line that is not compared. */
export async function recordedSection(engine: EngineName): Promise<string> {
  return `${(await readSection(engine)).replaceAll(VERSION_LINE, '').trimEnd()}\n`;
}

/** The text above the sections, as the file has it and as expected. */
export async function heads(): Promise<{ readonly recorded: string; readonly expected: string }> {
  const [recorded = ''] = (await readFile(FILE, 'utf8')).split(/^(?=## )/m);
  return { recorded: recorded.trimEnd(), expected: HEAD.trimEnd() };
}

/** Writes the file. The section "Runtimes" stays as it is. */
export async function writeMatrix(measurements: readonly Measurement[]): Promise<void> {
  const runtimes = await readSection('Runtimes');
  await writeFile(FILE, [HEAD, ...measurements.map(renderSection), runtimes].join('\n'));
}
