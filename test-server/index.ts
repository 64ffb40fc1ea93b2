/**
 * The protocol test server for conformance suites of SockJS: `PORT=8081 npm run test-server`. With `PORT=0` the system
 * chooses a port. The server prints its address.
 */
import { createServer } from 'node:http';
import { attachServices } from './services.ts';

const HOST = '127.0.0.1';
const DEFAULT_PORT = '8081';
const HIGHEST_PORT = 65_535;
/** Time for clients to receive the close frame, in milliseconds. */
const DRAIN_TIMEOUT = 1000;

const wanted = process.env['PORT'] ?? DEFAULT_PORT;
const server = createServer();
const routers = attachServices(server);

function fail(line: string): void {
  process.stderr.write(`${line}\n`);
  process.exitCode = 1;
}

function announce(): void {
  const address = server.address();
  if (typeof address !== 'object' || address === null) return;
  process.stdout.write(`SockJS test server: http://${HOST}:${address.port}\n`);
}

function explain(error: NodeJS.ErrnoException): void {
  if (error.code === 'EADDRINUSE') fail(`Port ${wanted} is in use; set PORT to another one.`);
  else fail(`Cannot listen on port ${wanted}: ${error.message}`);
}

async function stop(): Promise<void> {
  await Promise.all(routers.map((router) => router.close({ timeout: DRAIN_TIMEOUT })));
  // Connections that are still open may not delay the end.
  process.exit();
}

if (/^\d+$/.test(wanted) && Number(wanted) <= HIGHEST_PORT) {
  server.once('error', explain);
  server.listen(Number(wanted), HOST, announce);
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
} else {
  fail(`PORT must be a number from 0 to ${HIGHEST_PORT}, not ${JSON.stringify(wanted)}.`);
}
