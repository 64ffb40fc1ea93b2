/** The older SockJS server for Node. */
import { createServer } from 'sockjs';
import { serveEcho } from './sockjs-program.ts';

serveEcho(createServer);
