/**
 * First script of the page. It collects errors for a browser whose driver has no access to the console, and
 * `?document.domain` sets the domain of the page to its present value, as old pages do.
 */
'use strict';

window.consoleErrors = [];

addEventListener('error', ({ message }) => window.consoleErrors.push(message));
addEventListener('unhandledrejection', ({ reason }) => window.consoleErrors.push(String(reason)));
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
  window.consoleErrors.push(`${violatedDirective} blocks ${blockedURI}`);
});

if (location.search === '?document.domain') {
  const { domain } = document;
  document.domain = domain;
}
