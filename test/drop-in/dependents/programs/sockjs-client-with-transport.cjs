'use strict';
// `sockjs-client` for the client of shoe, which passes no options: the transport is in the query of the URL.
const SockJS = require('sockjs-client');

module.exports = (url) =>
  new SockJS(url, null, { transports: new URL(url).searchParams.get('transport'), timeout: 5000 });
