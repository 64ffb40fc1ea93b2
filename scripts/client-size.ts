/** Prints the size of the browser client in an application, minified and compressed, with the share of each transport. */
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Limit for the client with all transports, in bytes. */
export const MAX_CLIENT_BYTES = 4096;

export interface Size {
  readonly name: string;
  readonly minified: number;
  readonly gzip: number;
}

async function measure(name: string, program: string): Promise<Size> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    format: 'esm',
    minify: true,
    target: 'es2022',
    write: false,
  });
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  return { name, minified: contents.length, gzip: gzipSync(contents, { level: 9 }).length };
}

const TRANSPORTS = ['websocket', 'xhrStreaming', 'eventsource', 'xhrPolling'] as const;

/** Returns the sizes: of the whole client first, then of the core, then the bytes that each transport adds to the core. */
export async function clientSizes(): Promise<readonly Size[]> {
  const all = await measure('all transports', `export { connect } from './client/index.ts'`);
  const core = await measure('core', `export { connect } from './client/core.ts'`);
  const shares = TRANSPORTS.map(async (name) => {
    const program = `export { connect, ${name} } from './client/core.ts'`;
    const { minified, gzip } = await measure(name, program);
    return { name: `+ ${name}`, minified: minified - core.minified, gzip: gzip - core.gzip };
  });
  return [all, core, ...(await Promise.all(shares))];
}

export function formatSizes(sizes: readonly Size[]): string {
  const rows = sizes.map(({ name, minified, gzip }) =>
    [name.padEnd(16), String(minified).padStart(8), String(gzip).padStart(6)].join(' '),
  );
  return ['client           minified   gzip', ...rows].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = await clientSizes();
  console.log(formatSizes(sizes));
  if ((sizes[0]?.gzip ?? Infinity) > MAX_CLIENT_BYTES) process.exitCode = 1;
}
