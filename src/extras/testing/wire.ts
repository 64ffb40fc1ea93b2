/** The connection of an in-memory client to the server, from the client's side. */
export interface Wire {
  /** Sends a message. Resolves when the server has taken it. @throws Error if the server refuses it */
  sendMessage(message: string | Uint8Array): Promise<void>;
  /** Closes politely. Returns false if the server cannot notice it yet. */
  closeByClient(code: number, reason: string): boolean;
  /** Ends the connection without a close frame. Returns false if the server cannot notice it yet. */
  abortByClient(): boolean;
  /** Stops reading. */
  stopReading(): void;
  /** Reads again. */
  startReading(): void;
}
