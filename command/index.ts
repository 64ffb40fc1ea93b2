#!/usr/bin/env node
/** The command of the package: `npx sockjs-server demo` and `npx sockjs-server migrate`. */
import { demo } from './demo.ts';
import { migrate } from './migrate/index.ts';

const USAGE = `Usage: npx sockjs-server demo [--port PORT]
       npx sockjs-server migrate [--write] [PATH...]`;

const COMMANDS = new Map<string, (args: string[]) => Promise<void>>([
  ['demo', demo],
  ['migrate', migrate],
]);

function failWithUsage(): void {
  console.error(USAGE);
  process.exitCode = 1;
}

/** Returns whether an error is one of `parseArgs`. */
function isInvalidArgument(error: unknown): boolean {
  return String(Reflect.get(Object(error), 'code')).startsWith('ERR_PARSE_ARGS');
}

async function run([name = '', ...args]: string[]): Promise<void> {
  const command = COMMANDS.get(name);
  if (command === undefined) {
    failWithUsage();
    return;
  }
  try {
    await command(args);
  } catch (error) {
    if (!isInvalidArgument(error)) throw error;
    failWithUsage();
  }
}

await run(process.argv.slice(2));
