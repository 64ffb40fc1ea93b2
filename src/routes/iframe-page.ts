/** The iframe page, through which pages of other origins use transports without CORS. PROTOCOL.md, "URLs". */
import { createHash } from 'node:crypto';
import { HTML, addRevalidation, addYearCache } from '../http/headers.ts';
import { type AllowedOrigins, originOfPage } from '../http/origin-guard.ts';
import type { Handler, RequestContext } from '../http/request-context.ts';
import { etagOf, respondCacheable } from './cacheable.ts';

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

const SCRIPT = `
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  `;

function render(scriptUrl: string): string {
  return `<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="${escapeAttribute(scriptUrl)}"></script>
  <script>${SCRIPT}</script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>`;
}

/** Returns a policy that allows the two scripts of the page, and connections to its own server. */
function contentSecurityPolicy(scriptUrl: string): string {
  const hash = createHash('sha256').update(SCRIPT).digest('base64');
  const source = /^(?:https?:)?\/\/[^/?#;,\s]+/i.exec(scriptUrl)?.[0] ?? "'self'";
  return `default-src 'self'; script-src ${source} 'sha256-${hash}'`;
}

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[\w*.:[\]-]+$/i;
/** An origin without a host, such as `file://`. The scheme of the web alone would allow every page. */
const ORIGIN_WITHOUT_HOST = /^(?!https?:|wss?:)[a-z][a-z0-9+.-]*:\/\/$/i;

/** Returns an origin as a policy contains it. The origin `null`, for example, cannot be in a policy. */
function policySources(origin: string): string[] {
  if (ORIGIN.test(origin)) return [origin];
  return ORIGIN_WITHOUT_HOST.test(origin) ? [origin.slice(0, -'//'.length)] : [];
}

/**
 * Returns the policy for the origins that may embed the page. A page that embeds it can connect through it, so these
 * are the allowed origins. If a function decides, it is the origin that the function has just allowed.
 */
function frameAncestors({ exchange }: RequestContext, allowed: AllowedOrigins): string {
  if (allowed === '*') return '';
  const origins = typeof allowed === 'function' ? [originOfPage(exchange) ?? ''] : allowed;
  const sources = ["'self'", ...origins.flatMap(policySources)];
  return `; frame-ancestors ${sources.join(' ')}`;
}

/**
 * Only a page that any origin may embed is cached for a year. Otherwise the browser revalidates it each time, because
 * the allowed origins are in its policy, and a cached copy would keep those of earlier settings.
 * @param scriptUrl URL of the script of sockjs-client
 */
export function iframePage(scriptUrl: string): Handler {
  const html = render(scriptUrl);
  const basePolicy = contentSecurityPolicy(scriptUrl);
  return (context) => {
    const { headers, state } = context;
    const allowed = state.settings.allowedOrigins;
    if (allowed === '*') addYearCache(headers);
    else addRevalidation(headers);
    const policy = basePolicy + frameAncestors(context, allowed);
    headers.push('Content-Security-Policy', policy);
    return respondCacheable(context, HTML, etagOf(html + policy), html);
  };
}
