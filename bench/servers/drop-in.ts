/** The drop-in for npm `sockjs`, with the same program. */
import { createServer } from 'sockjs-server/sockjs';
import { serveEcho } from './sockjs-program.ts';

// Sessions whose clients have gone stay for 5 s, and all clients have one address.
serveEcho(createServer, { settings: { maxSessions: 1_000_000 } });
