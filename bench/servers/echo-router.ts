/**
 * The built package of this project, or another build of it: the main file in `SOCKJS_SERVER_BUILD`. With
 * `SOCKJS_SERVER_COMPRESSION`, it compresses. Arguments: interval of heartbeats, `disconnectDelay`.
 */
import type * as Package from 'sockjs-server';
import { HEARTBEAT_MS, serveMeasured } from './measured.ts';

const [, , , disconnectDelay = '5000'] = process.argv;
const build = process.env['SOCKJS_SERVER_BUILD'] ?? 'sockjs-server';
const { SockJSConnection, SockJSRouter } = (await import(build)) as typeof Package;

const isCompressing = (process.env['SOCKJS_SERVER_COMPRESSION'] ?? '') !== '';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

type Server = Parameters<InstanceType<typeof SockJSRouter>['attach']>[0];

export function serveRouter(server: Server): void {
  const router = new SockJSRouter(Echo, '/echo', {
    ...(isCompressing ? { compression: {} } : {}), // Other builds may not know the setting.
    jsessionid: false, // As in sockjs, where it is off by default.
    heartbeatDelay: HEARTBEAT_MS,
    disconnectDelay: Number(disconnectDelay),
    responseLimit: 2 ** 30, // A stream lasts for a whole measurement.
    // All clients have one address, and sessions without a receiver stay for 5 s.
    maxSessions: 1_000_000,
    maxSessionsPerAddress: 1_000_000,
  }).attach(server);
  serveMeasured(server, (text) => router.broadcast(router.connections, text));
}
