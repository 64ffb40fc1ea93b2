module.exports = require('sockjs-server');
