/** Connects by one transport, sends one message, and reports the outcome and the policy violations to its parent. */
'use strict';

const TIMEOUT_MS = 15_000;
/** Time for a blocked transport to succeed after all, or for the event of its violation to arrive. */
const GRACE_MS = 1000;

const { url, transport } = Object.fromEntries(new URLSearchParams(location.search));

// The frame of this transport sets it too. In Firefox and WebKit it can reach only a parent that has set it.
if (transport === 'htmlfile') {
  const { domain } = document;
  document.domain = domain;
}

/** Directives that blocked something. */
const blocking = new Set();

function report(outcome) {
  const suffix = blocking.size === 0 ? '' : `, blocked by ${[...blocking].join(' and ')}`;
  parent.postMessage(outcome + suffix, '*');
}

addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
  blocking.add(effectiveDirective);
  setTimeout(report, GRACE_MS, 'timeout');
});
setTimeout(report, TIMEOUT_MS, 'timeout');

const socket = new SockJS(url, undefined, { transports: transport, timeout: TIMEOUT_MS });
socket.onopen = () => socket.send('hello');
socket.onmessage = ({ data }) => report(`${data} by ${socket.transport}`);
socket.onclose = ({ code }) =>
  setTimeout(report, blocking.size === 0 ? GRACE_MS : 0, `closed ${code}`);
