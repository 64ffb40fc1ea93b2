/** This server over HTTP/1.1. */
import { createServer } from 'node:http';
import { serveRouter } from './echo-router.ts';

serveRouter(createServer());
