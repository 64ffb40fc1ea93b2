/** Responses over HTTP with the default options. */
import { ORIGIN, PREFLIGHT, type Row, responses } from '../requests.ts';
import type { Json, Scenario } from '../scenario.ts';

export const RESPONSES: readonly Scenario[] = [
  responses('the greeting', {}, [['GET /echo'], ['GET /echo/'], ['GET /echo', ORIGIN]]),
  {
    title: 'HEAD requests',
    differences: [
      {
        row: '`HEAD` requests',
        original: { greeting: 405, info: 405, iframe: 405 },
        dropIn: { greeting: 200, info: 200, iframe: 200 },
      },
    ],
    async run(stage) {
      const { port } = await stage.serve();
      const head = async (path: string): Promise<Json> =>
        (await stage.request({ port }, { method: 'HEAD', path })).status;
      return {
        greeting: await head('/echo'),
        info: await head('/echo/info'),
        iframe: await head('/echo/iframe.html'),
      };
    },
  },
  responses('/info', {}, [
    ['GET /echo/info'],
    ['GET /echo/info/'],
    ['GET /echo/info?t=1'],
    ['GET /echo/info', ORIGIN],
    ['GET /echo/info', [['Origin', 'null']]],
    ['GET /echo/info', PREFLIGHT],
  ]),
  responses('preflights', {}, [
    ['OPTIONS /echo/info', PREFLIGHT],
    ['OPTIONS /echo/info'],
    ...(
      [
        'xhr',
        'xhr_send',
        'xhr_streaming',
        'eventsource',
        'htmlfile',
        'jsonp',
        'jsonp_send',
      ] as const
    ).map((name): Row => [`OPTIONS /echo/000/s/${name}`, PREFLIGHT]),
  ]),
  responses('the iframe page', {}, [
    ['GET /echo/iframe.html'],
    ['GET /echo/iframe-0.1.html'],
    ['GET /echo/iframe.html?t=1'],
    ['GET /echo/iframe.html/'],
    ['GET /echo/iframe.html', ORIGIN],
    ['GET /echo/iframe.html', [['If-None-Match', '"x"']]],
    ['GET /echo/IFRAME.html'],
  ]),
  {
    title: 'the ETag of the iframe page',
    async run(stage) {
      const { port } = await stage.serve();
      const path = '/echo/iframe.html';
      const first = await stage.request({ port }, { path });
      const etag = first.head.header('etag') ?? '';
      const second = await stage.request({ port }, { path, headers: [['If-None-Match', etag]] });
      return { second: stage.describe(second) };
    },
  },
  responses('paths that do not exist', {}, [
    ['GET /echo/a'],
    ['GET /echo/a.html'],
    ['GET /echo/000/s'],
    ['GET /echo/000/s/'],
    ['GET /echo/000/s/nothing'],
    ['POST /echo//s/xhr'],
    ['POST /echo/000//xhr'],
    ['POST /echo/0.0/s/xhr'],
    ['POST /echo/000/s.s/xhr'],
    ['GET /echo//'],
    ['GET /echo', ORIGIN],
  ]),
  responses('paths of the application', {}, [
    ['GET /'],
    ['GET /ech'],
    ['GET /echoes'],
    ['GET /Echo'],
    ['GET /echo?query'],
    ['GET /echo/?query'],
    ['GET //echo'],
    ['GET /other/echo'],
  ]),
  responses('methods that are not allowed', {}, [
    ['POST /echo'],
    ['POST /echo/info'],
    ['DELETE /echo/info'],
    ['POST /echo/iframe.html'],
    ['GET /echo/000/s/xhr'],
    ['GET /echo/000/s/xhr_send'],
    ['PUT /echo/000/s/xhr_streaming'],
    ['POST /echo/000/s/eventsource'],
    ['POST /echo/000/s/htmlfile'],
    ['POST /echo/000/s/jsonp'],
    ['GET /echo/000/s/jsonp_send'],
    ['POST /echo/000/s/websocket'],
    ['POST /echo/websocket'],
  ]),
  responses('plain requests for WebSockets', {}, [
    ['GET /echo/websocket'],
    ['GET /echo/000/s/websocket'],
    ['GET /echo/000/s/websocket', [['Upgrade', 'websocket']]],
  ]),
  responses('jsonp and htmlfile with a missing or an invalid callback', {}, [
    ['GET /echo/000/s/jsonp'],
    ['GET /echo/000/s/jsonp?c=%3Cscript'],
    [`GET /echo/000/s/jsonp?c=${'a'.repeat(33)}`],
    ['GET /echo/000/s/htmlfile'],
    ['GET /echo/000/s/htmlfile?c=%3Cscript'],
  ]),
];
