/** Connects by one transport, says one thing, and tells its parent what came of it, and what was forbidden. */
'use strict';

const DEADLINE = 15_000;
/** How long what was forbidden may still come through, or the news of it be on its way. */
const GRACE = 1000;

const { url, transport } = Object.fromEntries(new URLSearchParams(location.search));

// The page of this transport does the same, and Firefox and WebKit let it reach only a parent that did.
if (transport === 'htmlfile') {
  const { domain } = document;
  document.domain = domain;
}

/** Directives. */
const forbidding = new Set();

function tell(outcome) {
  const remark = forbidding.size === 0 ? '' : `, forbidden by ${[...forbidding].join(' and ')}`;
  parent.postMessage(outcome + remark, '*');
}

addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
  forbidding.add(effectiveDirective);
  setTimeout(tell, GRACE, 'silence');
});
setTimeout(tell, DEADLINE, 'silence');

const socket = new SockJS(url, undefined, { transports: transport, timeout: DEADLINE });
socket.onopen = () => socket.send('hello');
socket.onmessage = ({ data }) => tell(`${data} by ${socket.transport}`);
socket.onclose = ({ code }) =>
  setTimeout(tell, forbidding.size === 0 ? GRACE : 0, `closed ${code}`);
