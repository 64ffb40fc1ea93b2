export * from 'sockjs-server/sockjs';
