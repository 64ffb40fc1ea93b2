/** `npx sockjs-server migrate` moves programs from npm `sockjs` to the drop-in, and reports what it cannot change. */
import { parseArgs } from 'node:util';
import { type DependencyReport, checkDependencies } from './dependencies.ts';
import { type ProjectFile, findFiles, readSource, replaceFile } from './files.ts';
import { type ProgramReport, migrateProgram } from './program.ts';
import { printReport } from './report.ts';

const BYTE_ORDER_MARK = /^\u00ef\u00bb\u00bf/;

function reportError(path: string, error: unknown): void {
  console.error(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

/** @throws an error of `parseArgs` for invalid arguments */
export async function migrate(args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { write: { type: 'boolean', default: false } },
  });
  const programs = new Map<string, ProgramReport>();
  const dependencies = new Map<string, DependencyReport>();

  async function handle({ path, kind }: ProjectFile): Promise<void> {
    const source = await readSource(path);
    if (kind === 'dependencies') {
      dependencies.set(path, checkDependencies(path, source.replace(BYTE_ORDER_MARK, '')));
      return;
    }
    const { text, ...report } = migrateProgram(source);
    if (values.write && text !== source) await replaceFile(path, text);
    programs.set(path, report);
  }

  for await (const file of findFiles(positionals.length > 0 ? positionals : ['.'], reportError)) {
    await handle(file).catch((error: unknown) => reportError(file.path, error));
  }
  printReport({ programs, dependencies }, values.write);
}
