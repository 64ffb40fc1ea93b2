/**
 * Before anything else on the page: errors are collected for a browser whose driver cannot tell them,
 * and `?document.domain` sets the page's domain as pages of old did, to what it is already.
 */
'use strict';

window.consoleErrors = [];

addEventListener('error', ({ message }) => window.consoleErrors.push(message));
addEventListener('unhandledrejection', ({ reason }) => window.consoleErrors.push(String(reason)));
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
  window.consoleErrors.push(`${violatedDirective} forbids ${blockedURI}`);
});

if (location.search === '?document.domain') {
  const { domain } = document;
  document.domain = domain;
}
