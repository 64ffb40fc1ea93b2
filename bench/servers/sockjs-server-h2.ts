/** This server over HTTP/2 without TLS, as behind a proxy. */
import { createServer } from 'node:http2';
import { serveRouter } from './echo-router.ts';

serveRouter(createServer({ settings: { enableConnectProtocol: true } }));
