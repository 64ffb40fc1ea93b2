/** The server's side of a measurement: tells its port, and its own CPU time when asked. */
import type { Server } from 'node:http';

export interface Usage {
  /** User and system time of this process so far, in microseconds. */
  readonly cpu: number;
}

export function report(server: Server): void {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
  });
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system } satisfies Usage);
  });
  process.on('disconnect', () => process.exit());
}
