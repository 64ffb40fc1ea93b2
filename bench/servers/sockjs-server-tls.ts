/** This server over HTTP/1.1 and TLS. */
import { createServer } from 'node:https';
import { selfSignedCertificate } from '../../testkit/certificate.ts';
import { serveRouter } from './echo-router.ts';

serveRouter(createServer(selfSignedCertificate()));
