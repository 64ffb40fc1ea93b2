/** What a service answers besides its sessions: greeting, `/info`, the iframe page and its script. */
import { createHash, getRandomValues } from 'node:crypto';
import { etagOf } from '../http/client-script.ts';
import {
  HTML,
  JAVASCRIPT,
  JSON_TYPE,
  PLAIN_TEXT,
  cachedForAYear,
  neverCached,
} from '../http/headers.ts';
import { originOfPage } from '../http/origin-guard.ts';
import type { Endpoint, Hit, Service } from '../http/request-context.ts';

export const GREETING: Endpoint = ({ exchange, headers }) => {
  exchange.answer(200, [...headers, 'Content-Type', PLAIN_TEXT], 'Welcome to SockJS!\n');
};

/** Browsers of old had no good source of randomness of their own. */
function entropy(): number {
  return getRandomValues(new Uint32Array(1))[0] ?? 0;
}

export const INFO: Endpoint = ({ exchange, service, headers }) => {
  const { baseUrl, jsessionid } = service.settings;
  const info = {
    websocket: service.isEnabled('websocket'),
    cookie_needed: jsessionid,
    origins: ['*:*'],
    entropy: entropy(),
    ...(baseUrl === undefined ? {} : { base_url: baseUrl }),
  };
  exchange.answer(200, [...headers, 'Content-Type', JSON_TYPE], JSON.stringify(info));
};

function isFresh({ exchange }: Hit, etag: string): boolean {
  const tags = exchange.header('if-none-match')?.split(',') ?? [];
  return tags.some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}

function answerCacheable(hit: Hit, type: string, etag: string, body: string): void {
  const headers = [...hit.headers, 'ETag', etag];
  if (isFresh(hit, etag)) hit.exchange.answer(304, headers);
  else hit.exchange.answer(200, [...headers, 'Content-Type', type], body);
}

function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

const IFRAME_SCRIPT = `
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  `;

function iframePage(scriptUrl: string): string {
  return `<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="${attribute(scriptUrl)}"></script>
  <script>${IFRAME_SCRIPT}</script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>`;
}

/** The page runs two scripts and talks to its own server only. */
function iframePolicy(scriptUrl: string): string {
  const hash = createHash('sha256').update(IFRAME_SCRIPT).digest('base64');
  const external = /^(?:https?:)?\/\/[^/?#;,\s]+/i.exec(scriptUrl)?.[0] ?? "'self'";
  return `default-src 'self'; script-src ${external} 'sha256-${hash}'`;
}

// What a policy can name: not `null`, for one.
const NAMEABLE = /^[a-z][a-z0-9+.-]*:\/\/[\w*.:[\]-]+$/i;

/**
 * Whoever embeds the page can speak through it, so only those may whom `allowedOrigins` admits: all that are
 * listed, or where a function admits them the page that asks.
 */
function embeddersOf({ exchange, service }: Hit): string {
  const allowed = service.settings.allowedOrigins;
  if (allowed === '*') return '';
  const admitted = typeof allowed === 'function' ? [originOfPage(exchange) ?? ''] : allowed;
  const names = ["'self'", ...admitted.filter((name) => NAMEABLE.test(name))];
  return `; frame-ancestors ${names.join(' ')}`;
}

interface Page {
  readonly html: string;
  readonly etag: string;
  readonly policy: string;
}

const iframePages = new WeakMap<Service, Page>();

function iframePageOf(service: Service): Page {
  let page = iframePages.get(service);
  if (page === undefined) {
    const scriptUrl = service.clientScript.url(service.prefix);
    const html = iframePage(scriptUrl);
    page = { html, policy: iframePolicy(scriptUrl), etag: etagOf(html) };
    iframePages.set(service, page);
  }
  return page;
}

export const IFRAME: Endpoint = (hit) => {
  const { html, etag, policy } = iframePageOf(hit.service);
  if (typeof hit.service.settings.allowedOrigins === 'function') neverCached(hit.headers);
  else cachedForAYear(hit.headers);
  hit.headers.push('Content-Security-Policy', policy + embeddersOf(hit));
  answerCacheable(hit, HTML, etag, html);
};

const ONE_HOUR = 'public, max-age=3600';

export const CLIENT_SCRIPT: Endpoint = async (hit) => {
  const { service, headers } = hit;
  const script = await service.clientScript.load();
  if (script === undefined) {
    if (!service.clientScript.isExternal) service.hint('clientScript');
    service.refuse(hit, 'notFound');
    return;
  }
  headers.push('Cache-Control', ONE_HOUR, 'X-Content-Type-Options', 'nosniff');
  answerCacheable(hit, JAVASCRIPT, script.etag, script.body);
};
