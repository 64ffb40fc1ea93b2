'use strict';

module.exports = {
  mode: 'development',
  entry: './src/index.js',
  // A module with an error would reach the page with the next update, and webpack would load the page again.
  optimization: { emitOnErrors: false },
  devServer: {
    host: '127.0.0.1',
    port: Number(process.env.PORT),
    static: './public',
    webSocketServer: 'sockjs',
  },
};
