#!/usr/bin/env node
/** The command of the package: `npx sockjs-server demo` runs the demo site without a clone. */
import { parseArgs } from 'node:util';

const USAGE = 'Usage: npx sockjs-server demo [--port PORT]';

/** @throws TypeError for an unknown command or option */
function parsePort(): string | undefined {
  const { positionals, values } = parseArgs({
    options: { port: { type: 'string' } },
    allowPositionals: true,
  });
  if (positionals.join(' ') !== 'demo') throw new TypeError('Unknown command');
  return values.port;
}

/** Sets the port for the demo site, whose default is 9999. @returns false after an error */
function applyArguments(): boolean {
  try {
    const port = parsePort();
    if (port !== undefined) process.env['PORT'] = port;
    return true;
  } catch {
    console.error(USAGE);
    process.exitCode = 1;
    return false;
  }
}

if (applyArguments()) await import('../index.ts');
