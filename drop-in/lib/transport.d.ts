export * from 'sockjs-server/sockjs/transport';
