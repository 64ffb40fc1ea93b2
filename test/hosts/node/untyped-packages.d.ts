/** Types of the middleware packages that have none, as far as tests use them. */

declare module 'compression' {
  import type { RequestHandler } from 'express';

  export default function compression(options?: { threshold?: number }): RequestHandler;
}

declare module 'morgan' {
  import type { RequestHandler } from 'express';

  export default function morgan(
    format: string,
    options: { stream: { write: (line: string) => void } },
  ): RequestHandler;
}

declare module 'stoppable' {
  import type { Server } from 'node:http';

  export default function stoppable(
    server: Server,
    grace?: number,
  ): Server & { stop: (callback: (error?: Error) => void) => void };
}
