import { OutputWatchdog, type WriteLimits } from '../../http/output-watchdog.ts';
import type { UnderlyingStream } from './connection-stream.ts';
import { bytesTaken } from './node-internals.ts';

/** Watches the output of a socket. */
export class WriteWatchdog extends OutputWatchdog {
  constructor(socket: UnderlyingStream, limits: WriteLimits, onTimeout: () => void) {
    const output = {
      bytesTaken: (): number => ('bytesTaken' in socket ? socket.bytesTaken : bytesTaken(socket)),
      bytesBuffered: (): number => socket.writableLength,
    };
    super(output, limits, onTimeout);
  }
}
