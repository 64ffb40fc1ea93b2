/**
 * Three services over one connection. Each channel is a normal connection class, and works unchanged with its own
 * router.
 */
import { SockJSConnection, SockJSRouter, broadcast } from 'sockjs-server';
import { multiplex } from 'sockjs-server/multiplex';
import { serve } from '../site/serve.ts';

const LONGEST_TEXT = 500;

class ShoutConnection extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message.slice(0, LONGEST_TEXT).toUpperCase());
  }
}

const room = new Set<RoomConnection>();

class RoomConnection extends SockJSConnection {
  get #name(): string {
    return `Guest ${this.id.slice(0, 4)}`;
  }

  override onOpen(): void {
    room.add(this);
    broadcast(room, `${this.#name} came in`);
  }

  override onMessage(message: string): void {
    broadcast(room, `${this.#name}: ${message.slice(0, LONGEST_TEXT)}`);
  }

  override onClose(): void {
    room.delete(this);
    broadcast(room, `${this.#name} went out`);
  }
}

class ClockConnection extends SockJSConnection {
  #timer: NodeJS.Timeout | undefined;

  override onOpen(): void {
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), 1000);
  }

  override onClose(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.send(new Date().toISOString());
  }
}

export const channels = new SockJSRouter(
  multiplex({ shout: ShoutConnection, room: RoomConnection, clock: ClockConnection }),
  '/multiplex',
);

// Runs only as a program, because the demo site imports the router. Before Node 24.2, omit the condition.
if (import.meta.main) serve([channels]);
