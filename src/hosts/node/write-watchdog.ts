import type { Socket } from 'node:net';
import { OutputWatchdog, type WriteLimits } from '../../http/output-watchdog.ts';
import { bytesTaken } from './node-internals.ts';

/** Watches the output of a socket. */
export class WriteWatchdog extends OutputWatchdog {
  constructor(socket: Socket, limits: WriteLimits, onTimeout: () => void) {
    const output = {
      bytesTaken: (): number => bytesTaken(socket),
      bytesBuffered: (): number => socket.writableLength,
    };
    super(output, limits, onTimeout);
  }
}
