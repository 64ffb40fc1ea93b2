/** Clients of all transports behind one interface, which log their events. */
import {
  CLIENT_TRANSPORTS,
  type ClientTransportName,
  OfficialClient,
} from '../../testkit/official-client.ts';
import { SockJSClient } from '../../testkit/sockjs-client.ts';
import { HTMLFILE, JSONP, RAW_WEBSOCKET, type Transport } from '../../testkit/transports.ts';
import type { DeliveryLog } from './delivery-log.ts';

/** The real sockjs-client has these only in a browser, or not at all. */
const OWN_TRANSPORTS = {
  htmlfile: HTMLFILE,
  jsonp: JSONP,
  rawwebsocket: RAW_WEBSOCKET,
} as const satisfies Readonly<Record<string, Transport>>;
type OwnTransportName = keyof typeof OWN_TRANSPORTS;

export type FaultTransport = ClientTransportName | OwnTransportName;
export const FAULT_TRANSPORTS: readonly FaultTransport[] = [
  ...CLIENT_TRANSPORTS,
  'htmlfile',
  'jsonp',
  'rawwebsocket',
];

export interface LoggingClient {
  readonly isOpen: boolean;
  /** Sends nothing unless the client is open. */
  send(texts: readonly string[]): void;
  close(): void;
}

export interface ClientOptions {
  /** The URL of the service for sockjs-client, which learns the address of the relay from `/info`. */
  readonly url: string;
  /** The address for the other clients, which do not request `/info`. */
  readonly relayPort: number;
  /** Minimal time that sockjs-client allows for opening, in milliseconds. */
  readonly openTimeout: number;
}

function isOwn(transport: FaultTransport): transport is OwnTransportName {
  return Object.hasOwn(OWN_TRANSPORTS, transport);
}

export function connectClient(
  transport: FaultTransport,
  { url, relayPort, openTimeout }: ClientOptions,
  log: DeliveryLog,
): LoggingClient {
  const events = {
    open: () => log.opened(),
    message: (text: string) => log.received(text),
    close: ({ code, reason }: { code: number; reason: string }) => log.closed(code, reason),
  };
  const client = isOwn(transport)
    ? new SockJSClient(OWN_TRANSPORTS[transport], { server: relayPort, record: false, ...events })
    : new OfficialClient(url, { transports: transport, timeout: openTimeout }, events);
  return {
    get isOpen() {
      return client.isOpen;
    },
    send(texts) {
      if (!client.isOpen) return;
      for (const text of texts) log.sent(text);
      // The close event reports a failure.
      void client.send(...texts)?.catch(() => {});
    },
    close: () => client.close(),
  };
}
