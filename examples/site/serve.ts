/**
 * Runs routers with their pages on one `http.Server`, until a signal ends it. The demo site runs it with all examples,
 * and each browser example with its own page.
 */
import { createServer } from 'node:http';
import type { SockJSRouter } from 'sockjs-server';
import { serveFiles, filesFor } from './files.ts';

const DEFAULT_PORT = 9999;
const DRAIN_TIMEOUT = 1000;

function fail(line: string): void {
  console.error(line);
  process.exitCode = 1;
}

function reasonOf(error: NodeJS.ErrnoException, port: number): string {
  if (error.code !== 'EADDRINUSE') return `Cannot listen on port ${port}: ${error.message}`;
  return `Port ${port} is in use. Choose another one, for example PORT=${port + 1} npm start, or --port ${port + 1} with npx.`;
}

/**
 * npm runs a script in a shell, and a signal to npm ends that shell without reaching this process. The process notices
 * that its parent has changed.
 */
function whenOrphaned(act: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    act();
  }, 200);
  watch.unref();
}

/** Serves each router, and below `/` the page of the example with the name of its prefix. */
export function serve(routers: readonly SockJSRouter[]): void {
  const port = Number(process.env['PORT'] || DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    fail(`PORT must be a whole number from 0 to 65535, not '${process.env['PORT']}'.`);
    return;
  }

  const server = createServer(serveFiles(filesFor(routers.map(({ prefix }) => prefix.slice(1)))));
  for (const router of routers) router.attach(server);

  async function stop(): Promise<void> {
    await Promise.all(routers.map((router) => router.close({ timeout: DRAIN_TIMEOUT })));
    server.close();
    server.closeAllConnections();
  }

  server.on('error', (error) => fail(reasonOf(error, port)));
  server.listen(port, () => {
    const address = server.address();
    const actual = typeof address === 'object' ? address?.port : port;
    // Ctrl-C reaches a child of npm twice: from the terminal and from npm.
    let stopping: Promise<void> | undefined;
    const stopOnce = (): void => void (stopping ??= stop());
    process.on('SIGINT', stopOnce);
    process.on('SIGTERM', stopOnce);
    whenOrphaned(stopOnce);
    console.log(`Open http://localhost:${actual}/ in a browser; Ctrl-C ends it.`);
  });
}
