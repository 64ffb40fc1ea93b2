/**
 * A chat room. The first message of a client is its name, further messages are texts. The server sends JSON notices of
 * arrivals, departures and texts to everyone.
 */
import { SockJSConnection, SockJSRouter, broadcast } from 'sockjs-server';
import { serve } from '../site/serve.ts';

type Notice =
  | { readonly type: 'welcome'; readonly name: string }
  | { readonly type: 'joined' | 'left'; readonly name: string; readonly people: readonly string[] }
  | { readonly type: 'message'; readonly name: string; readonly text: string };

const MAX_NAME_LENGTH = 24;
const MAX_TEXT_LENGTH = 500;

const people = new Map<string, ChatConnection>();

function notifyEveryone(notice: Notice): void {
  broadcast(people.values(), JSON.stringify(notice));
}

/** Truncates a name, and adds a number if it is in use. */
function freeName(wanted: string): string {
  const name = wanted.trim().replaceAll(/\s+/g, ' ').slice(0, MAX_NAME_LENGTH) || 'Guest';
  let free = name;
  for (let number = 2; people.has(free); number += 1) free = `${name} ${number}`;
  return free;
}

class ChatConnection extends SockJSConnection {
  #name: string | undefined;

  override onMessage(message: string): void {
    if (this.#name === undefined) this.#join(message);
    else
      notifyEveryone({
        type: 'message',
        name: this.#name,
        text: message.slice(0, MAX_TEXT_LENGTH),
      });
  }

  override onClose(): void {
    const name = this.#name;
    if (name === undefined) return;
    people.delete(name);
    notifyEveryone({ type: 'left', name, people: [...people.keys()] });
  }

  #join(wanted: string): void {
    const name = freeName(wanted);
    this.#name = name;
    people.set(name, this);
    this.send(JSON.stringify({ type: 'welcome', name } satisfies Notice));
    notifyEveryone({ type: 'joined', name, people: [...people.keys()] });
  }
}

export const chat = new SockJSRouter(ChatConnection, '/chat', { maxMessageBytes: 16 * 1024 });

// Runs only as a program, because the demo site imports the router. Before Node 24.2, omit the condition.
if (import.meta.main) serve([chat]);
