/** One session of a client, on whatever transport: what the roles see of it. */
export interface Ending {
  /** Of the close frame or the WebSocket; the status of HTTP for a refusal; 0 for anything else. */
  readonly code: number;
  readonly reason: string;
}

export interface Listener {
  message(text: string): void;
}

export interface ConnectionBackend {
  /** Settles when the session has opened: undefined, or how it ended before. */
  readonly opened: Promise<Ending | undefined>;
  /** Settles when it is over, whoever ended it. */
  readonly over: Promise<Ending>;
  /** Settles when they have been taken. */
  send(...texts: readonly string[]): Promise<void>;
  /** Takes nothing of what comes. */
  pause(): void;
  resume(): void;
  /** Says goodbye as the transport can: polling clients just do not come back. */
  leave(): void;
  /** Breaks off. */
  abort(): void;
}

export interface Place {
  readonly port: number;
  /** The client's, as its proxy tells it. */
  readonly address: string;
}

export function messagesOf(frame: string): string[] {
  return JSON.parse(frame.slice(1)) as string[];
}

export function endingOf(frame: string): Ending {
  const [code, reason] = JSON.parse(frame.slice(1)) as [number, string];
  return { code, reason };
}
