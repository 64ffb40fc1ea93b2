/**
 * Loaded into each test process by `--import`. `--test-timeout` fails a test or a hook that takes too long, but its file
 * runs on for as long as a connection or a program is open. This ends such a process and prints what was open.
 */

/** Far longer than the slowest file takes, in milliseconds. */
const FILE_TIMEOUT_MS = Number(process.env['TEST_FILE_TIMEOUT_MS'] ?? 480_000);

interface OpenHandle {
  readonly type: string;
  readonly is_active: boolean;
  readonly is_referenced: boolean;
}

/** @returns the kinds of resources that keep the process alive, and a line of JSON for each of its sockets and programs */
function openResources(): string {
  const { libuv } = process.report.getReport() as unknown as { readonly libuv: OpenHandle[] };
  const handles = libuv.filter((handle) => handle.is_active && handle.is_referenced);
  const lines = handles.map((handle) => JSON.stringify(handle));
  return [process.getActiveResourcesInfo().join(', '), ...lines].join('\n');
}

// The test runner itself loads this module too.
if (process.env['NODE_TEST_CONTEXT'] !== undefined) {
  setTimeout(() => {
    const file = process.argv[1] ?? '';
    process.stderr.write(
      `${file} has not ended after ${FILE_TIMEOUT_MS} ms. Open:\n${openResources()}\n`,
    );
    process.exit(1);
  }, FILE_TIMEOUT_MS).unref();
}
