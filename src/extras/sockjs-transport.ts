/** Classes of `sockjs/lib/transport`, for programs that replace methods of their prototypes. */
/// <reference types="node" preserve="true" />
export {
  GenericReceiver,
  ResponseReceiver,
  Session,
  SockJSConnection,
  Transport,
} from './sockjs/transport.ts';
