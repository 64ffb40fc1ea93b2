export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

export type DeliveryEvent =
  | { readonly type: 'opened' }
  | { readonly type: 'sent' | 'received'; readonly text: string }
  | { readonly type: 'closed'; readonly status: CloseStatus };

/** Events of one end of a connection, in the order in which they happened. */
export class DeliveryLog {
  readonly events: DeliveryEvent[] = [];
  #closeStatus: CloseStatus | undefined;

  opened(): void {
    this.events.push({ type: 'opened' });
  }

  sent(text: string): void {
    this.events.push({ type: 'sent', text });
  }

  received(text: string): void {
    this.events.push({ type: 'received', text });
  }

  closed(code: number, reason: string): void {
    this.#closeStatus = { code, reason };
    this.events.push({ type: 'closed', status: this.#closeStatus });
  }

  get closeStatus(): CloseStatus | undefined {
    return this.#closeStatus;
  }

  get hasOpened(): boolean {
    return this.events.some(({ type }) => type === 'opened');
  }

  /** Texts of all messages that it has sent, or received. */
  texts(type: 'sent' | 'received'): string[] {
    return this.events.flatMap((event) => (event.type === type ? [event.text] : []));
  }
}
