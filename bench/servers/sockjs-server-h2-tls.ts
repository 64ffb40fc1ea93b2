/** This server over HTTP/2 and TLS, as for browsers. */
import { createSecureServer } from 'node:http2';
import { selfSignedCertificate } from '../../testkit/certificate.ts';
import { serveRouter } from './echo-router.ts';

serveRouter(
  createSecureServer({
    ...selfSignedCertificate(),
    allowHTTP1: true,
    settings: { enableConnectProtocol: true },
  }),
);
