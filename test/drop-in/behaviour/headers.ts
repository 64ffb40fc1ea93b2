/** Headers and framing of responses. */
import type { Headers, RawRequest, ResponseHead } from '../../../testkit/raw-http.ts';
import { Receiver, poll } from '../../../testkit/sockjs-http.ts';
import { HTTP_TRANSPORTS } from '../../../testkit/transports.ts';
import type { LegacyOptions } from '../legacy.ts';
import { PREFLIGHT, parseRequest } from '../requests.ts';
import type { Difference, Json, Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const CORS = 'CORS headers';
const NO_CACHE = 'cache-control: no-store, no-cache, no-transform, must-revalidate, max-age=0';
const TEXT = 'content-type: text/plain; charset=UTF-8';

/** Opens a session on each kind of transport, and returns the heads of the responses. */
async function headsOf(stage: Stage, port: number): Promise<Record<string, Json>> {
  const result: Record<string, Json> = {};
  for (const transport of HTTP_TRANSPORTS) {
    const receiver = new Receiver(port, stage.newSession(), transport);
    const head = await receiver.head();
    const { status } = head;
    result[transport.name] = stage.describe({ head, status, body: '' }, 'added');
    receiver.abort();
  }
  return result;
}

/** URLs with CORS headers in one of the packages, and the requests for them. */
const CORS_URLS: Readonly<Record<string, (session: string) => RawRequest>> = {
  info: () => ({ path: '/echo/info' }),
  xhr_send: (session) => ({ method: 'POST', path: `${session}/xhr_send`, body: '["x"]' }),
  jsonp_send: (session) => ({
    method: 'POST',
    path: `${session}/jsonp_send`,
    headers: [['Content-Type', 'text/plain']],
    body: '["x"]',
  }),
};

function corsHeaders({ headers }: ResponseHead): string[] {
  return headers
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .filter((line) => /^(?:access-control-|vary)/.test(line))
    .toSorted();
}

/** Collects the CORS headers of each URL, for requests with some headers. */
async function collectCors(
  stage: Stage,
  options: LegacyOptions,
  headers: Headers,
): Promise<Record<string, Json>> {
  const { port } = await stage.serve({ options });
  const result: Record<string, Json> = {};
  for (const [name, create] of Object.entries(CORS_URLS)) {
    const session = stage.newSession();
    await poll(port, session);
    const request = create(session);
    const all = [...(request.headers ?? []), ...headers];
    result[name] = corsHeaders((await stage.request({ port }, { ...request, headers: all })).head);
  }
  for (const transport of HTTP_TRANSPORTS) {
    const receiver = new Receiver(port, stage.newSession(), transport, { headers });
    result[transport.name] = corsHeaders(await receiver.head());
    receiver.abort();
  }
  return result;
}

function corsScenario(
  title: string,
  options: LegacyOptions,
  headers: Headers,
  difference: Omit<Difference, 'row'>,
): Scenario {
  return {
    title: `CORS headers ${title}`,
    differences: [{ row: CORS, ...difference }],
    run: async (stage) => collectCors(stage, options, headers),
  };
}

const ANY_ORIGIN = ['access-control-allow-origin: *'];
const ANY_ORIGIN_VARY = [...ANY_ORIGIN, 'vary: Origin'];
const NULL_ORIGIN = [
  'access-control-allow-credentials: true',
  'access-control-allow-origin: null',
  'vary: Origin',
];
const PAGE_ORIGIN = [
  'access-control-allow-credentials: true',
  'access-control-allow-headers: content-type, x-a',
  'access-control-allow-origin: http://page.example.com',
  'vary: Origin',
];

/** Headers of the drop-in on receiving responses. */
const UNBUFFERED = 'x-accel-buffering: no';
const JSONP_HEADERS = [
  'content-type: application/javascript; charset=UTF-8',
  'x-content-type-options: nosniff',
];

function receiving(...headers: readonly string[]): Json {
  return { status: 200, headers: headers.toSorted(), body: '' };
}

/** Error responses of both packages: request, status, text and headers of the original, and those of the drop-in. */
const ERRORS: readonly (readonly [
  request: string,
  body: string | undefined,
  status: number,
  original: readonly [text: string, ...headers: string[]],
  dropIn: readonly [text: string, ...headers: string[]],
])[] = [
  ['GET /echo/a', undefined, 404, ['404 Error: Page not found\n', TEXT], ['Not found.', TEXT]],
  [
    'POST /echo/000/none/xhr_send',
    '["x"]',
    404,
    ['404 Error: Page not found\n', NO_CACHE, TEXT],
    ['Session not found.', NO_CACHE, TEXT],
  ],
  [
    'POST SESSION/xhr_send',
    '',
    500,
    ['Payload expected.', NO_CACHE],
    ['Payload expected.', NO_CACHE, TEXT],
  ],
  [
    'POST SESSION/xhr_send',
    '{}',
    500,
    ['Payload expected.', NO_CACHE],
    ['Broken JSON encoding.', NO_CACHE, TEXT],
  ],
  [
    'POST SESSION/xhr_send',
    '["x',
    500,
    ['Broken JSON encoding.', NO_CACHE],
    ['Broken JSON encoding.', NO_CACHE, TEXT],
  ],
  [
    'GET /echo/000/s/jsonp',
    undefined,
    500,
    ['"callback" parameter required', NO_CACHE],
    ['"callback" parameter required', NO_CACHE, TEXT],
  ],
  [
    'GET /echo/000/s/htmlfile?c=<',
    undefined,
    500,
    ['invalid "callback" parameter', NO_CACHE],
    ['invalid "callback" parameter', NO_CACHE, TEXT],
  ],
  [
    'GET /echo/websocket',
    undefined,
    400,
    ['Not a valid websocket request'],
    ['Can "Upgrade" only to "WebSocket".', TEXT],
  ],
  [
    'POST /echo/info',
    undefined,
    405,
    ['', 'allow: GET, OPTIONS'],
    ['', 'allow: GET, OPTIONS', NO_CACHE],
  ],
  [
    'GET SESSION/xhr',
    undefined,
    405,
    ['', 'allow: OPTIONS, POST'],
    ['', 'allow: OPTIONS, POST', NO_CACHE],
  ],
];

function errorResponses(side: 'original' | 'dropIn'): Record<string, Json> {
  const entries = ERRORS.map(([request, body, status, original, dropIn]) => {
    const [text, ...headers] = side === 'original' ? original : dropIn;
    return [
      `${request} ${body ?? ''}`,
      { status, headers: headers.toSorted(), body: text },
    ] as const;
  });
  return Object.fromEntries(entries);
}

export const HEADERS: readonly Scenario[] = [
  corsScenario('without an origin', {}, [], {
    original: {
      info: ANY_ORIGIN_VARY,
      xhr_send: ANY_ORIGIN_VARY,
      xhr: ANY_ORIGIN_VARY,
      xhr_streaming: ANY_ORIGIN_VARY,
      eventsource: ANY_ORIGIN_VARY,
      jsonp_send: [],
      htmlfile: [],
      jsonp: [],
    },
    dropIn: {
      info: ANY_ORIGIN,
      xhr_send: ANY_ORIGIN,
      xhr: ANY_ORIGIN,
      xhr_streaming: ANY_ORIGIN,
      eventsource: ANY_ORIGIN,
      jsonp_send: ANY_ORIGIN,
      htmlfile: ANY_ORIGIN,
      jsonp: ANY_ORIGIN,
    },
  }),
  corsScenario('for a page of another origin', {}, PREFLIGHT, {
    original: { jsonp_send: [], htmlfile: [], jsonp: [] },
    dropIn: { jsonp_send: PAGE_ORIGIN, htmlfile: PAGE_ORIGIN, jsonp: PAGE_ORIGIN },
  }),
  corsScenario('for the origin null', {}, [['Origin', 'null']], {
    original: { jsonp_send: [], htmlfile: [], jsonp: [], eventsource: ANY_ORIGIN_VARY },
    dropIn: {
      jsonp_send: NULL_ORIGIN,
      htmlfile: NULL_ORIGIN,
      jsonp: NULL_ORIGIN,
      eventsource: NULL_ORIGIN,
    },
  }),
  corsScenario('with disable_cors', { disable_cors: true }, PREFLIGHT, {
    original: { eventsource: PAGE_ORIGIN },
    dropIn: { eventsource: [] },
  }),
  {
    title: 'headers of receiving responses',
    differences: [
      {
        row: 'Additional headers',
        original: {
          xhr_streaming: receiving(NO_CACHE, 'content-type: application/javascript; charset=UTF-8'),
          eventsource: receiving(NO_CACHE, 'content-type: text/event-stream'),
          htmlfile: receiving(NO_CACHE, 'content-type: text/html; charset=UTF-8'),
          jsonp: receiving(NO_CACHE, ...JSONP_HEADERS),
        },
        dropIn: {
          xhr_streaming: receiving(
            NO_CACHE,
            'content-type: application/javascript; charset=UTF-8',
            UNBUFFERED,
          ),
          eventsource: receiving(NO_CACHE, 'content-type: text/event-stream', UNBUFFERED),
          htmlfile: receiving(NO_CACHE, 'content-type: text/html; charset=UTF-8', UNBUFFERED),
          jsonp: receiving(
            NO_CACHE,
            ...JSONP_HEADERS,
            'content-disposition: attachment; filename=f.txt',
          ),
        },
      },
    ],
    async run(stage) {
      const { port } = await stage.serve();
      return headsOf(stage, port);
    },
  },
  {
    title: 'headers of the iframe page',
    differences: [
      {
        row: 'Additional headers',
        original: { policy: 'none' },
        dropIn: {
          policy:
            "default-src 'self'; script-src https://cdn.jsdelivr.net 'sha256-lYmFXEsqdsgpRcqXPmVFJyV4CiaTNuS5IK/HjT7/fdk='",
        },
      },
    ],
    async run(stage) {
      const { port } = await stage.serve();
      const { head } = await stage.request({ port }, { path: '/echo/iframe.html' });
      return {
        policy: head.header('content-security-policy') ?? 'none',
        hasTag: head.header('etag') !== undefined,
      };
    },
  },
  {
    title: 'texts and headers of error responses',
    differences: [
      {
        row: 'Error responses',
        original: errorResponses('original'),
        dropIn: errorResponses('dropIn'),
      },
    ],
    async run(stage) {
      const service = await stage.serve();
      const session = stage.newSession();
      await poll(service.port, session);
      const result: Record<string, Json> = {};
      for (const [request, body] of ERRORS) {
        const { method = 'GET', path } = parseRequest([request.replace('SESSION', session)]);
        const rest = body === undefined ? {} : { body };
        const response = await stage.request(service, { method, path, ...rest });
        result[`${request} ${body ?? ''}`] = stage.describe(response, 'errors');
      }
      return result;
    },
  },
  {
    title: 'framing of short responses',
    differences: [
      {
        row: 'Framing of short responses',
        original: { greeting: 'chunked', info: 'chunked' },
        dropIn: { greeting: 'Content-Length', info: 'Content-Length' },
      },
    ],
    async run(stage) {
      const { port } = await stage.serve();
      const framing = async (path: string): Promise<Json> =>
        (await stage.request({ port }, { path })).head.isChunked ? 'chunked' : 'Content-Length';
      return {
        greeting: await framing('/echo'),
        info: await framing('/echo/info'),
        iframe: await framing('/echo/iframe.html'),
      };
    },
  },
  {
    title: 'headers that another listener has set before',
    differences: [{ row: CORS, original: { vary: 'Origin' }, dropIn: { vary: 'Cookie' } }],
    async run(stage) {
      const service = await stage.serve();
      service.http.prependListener('request', (_request, response) => {
        response.setHeader('Set-Cookie', ['a=1', 'b=2']);
        response.setHeader('X-Powered-By', 'test');
        response.setHeader('Content-Type', 'text/csv');
        response.setHeader('Cache-Control', 'private');
        response.setHeader('Vary', 'Cookie');
      });
      const info = await stage.request(service, { path: '/echo/info' });
      const session = stage.newSession();
      const opened = await stage.request(service, { method: 'POST', path: `${session}/xhr` });
      const other = await stage.request(service, { path: '/echo/none' });
      return {
        vary: info.head.header('vary') ?? 'none',
        info: stage.describe(info),
        poll: stage.describe(opened),
        other: stage.describe(other),
      };
    },
  },
  {
    title: 'a header that another listener has locked',
    differences: [
      {
        row: 'Locked headers',
        original: { status: 500 },
        dropIn: { status: 200 },
      },
    ],
    async run(stage) {
      const service = await stage.serve();
      service.http.prependListener('request', (_request, response) => {
        const setHeader = response.setHeader.bind(response);
        response.setHeader = (name, value) => {
          if (name.toLowerCase() === 'access-control-allow-origin') throw new Error('locked');
          return setHeader(name, value);
        };
      });
      const { status } = await stage.request(service, { path: '/echo/info' });
      return { status };
    },
  },
];
