'use strict';

module.exports = require('sockjs-server/sockjs/transport');
