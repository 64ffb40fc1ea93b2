/** Examples as a reader starts them: programs on a port that they print. */
import assert from 'node:assert/strict';
import type { OfficialClient } from '../../testkit/official-client.ts';
import { Program } from '../../testkit/process.ts';
import type { TestScope } from '../../testkit/scope.ts';

/** Starts a file below `examples/`. It prefers a free port to its default one. */
export function startExample(file: string, env: Readonly<Record<string, string>> = {}): Program {
  return Program.node(`examples/${file}`, [], { env: { PORT: '0', ...env } });
}

/** Waits for the program to print its port. */
export async function printedPort(program: Program): Promise<number> {
  const [, port] = await program.prints(/(?:localhost:|0\.1:|port: )(\d+)/);
  return Number(port);
}

/** Starts an example that is killed at the end of the test, and fails it if anything was printed as an error. */
export async function runExample(
  scope: TestScope,
  file: string,
  env?: Readonly<Record<string, string>>,
): Promise<{ program: Program; port: number }> {
  const program = startExample(file, env);
  scope.after(async () => {
    await program.stop('SIGKILL');
    assert.equal(program.stderr, '');
  });
  return { program, port: await printedPort(program) };
}

/**
 * Asserts that a program exits after `shutDown`, once it has closed the sessions of all clients.
 * @param limit time limit in milliseconds
 */
export async function assertShutsDown(
  program: Program,
  clients: readonly OfficialClient[],
  shutDown: () => void,
  limit = 2000,
): Promise<void> {
  const start = performance.now();
  shutDown();
  // Settles when no process has the program's output open.
  assert.deepEqual(await program.exited(), { code: 0, signal: null });
  const duration = performance.now() - start;
  assert.ok(duration < limit, `${duration} ms`);
  for (const client of clients) {
    const { code, reason } = await client.closed();
    assert.deepEqual({ code, reason }, { code: 1001, reason: 'Server is going away' });
  }
}
