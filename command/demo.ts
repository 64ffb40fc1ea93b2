/** `npx sockjs-server demo` runs the demo site without a clone. */
import { parseArgs } from 'node:util';

/**
 * Sets the port for the demo site, whose default is 9999, and starts it.
 * @throws an error of `parseArgs` for invalid arguments
 */
export async function demo(args: string[]): Promise<void> {
  const { port } = parseArgs({ args, options: { port: { type: 'string' } } }).values;
  if (port !== undefined) process.env['PORT'] = port;
  await import('../examples/index.ts');
}
