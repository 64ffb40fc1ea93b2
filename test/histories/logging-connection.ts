import { SockJSConnection } from '../../src/index.ts';
import type { SeededRandom } from '../../testkit/random.ts';
import type { DeliveryEvent } from '../faults/delivery-log.ts';
import { type ClusterLog, GROUP, type TopicEvent, memberName } from './cluster-log.ts';
import { APPLICATION_CLOSE_CODE } from './cluster-rules.ts';

/** Of so many messages from the client, one closes the session. */
const MESSAGES_PER_CLOSE = 80;

/** Node on which the connections log. */
export interface LoggingNode {
  readonly name: string;
  readonly log: Pick<ClusterLog, 'add'>;
  readonly random: SeededRandom;
  /** Returns the number of the next connection object, which is unique in the cluster. */
  nextSession(): number;
  /** Watches the group. Returns a function that stops watching. */
  watchMissed(onMissed: () => void): () => void;
}

/** A connection that can send messages at any time. */
export abstract class SendingConnection extends SockJSConnection {
  /** Sends up to three messages. */
  abstract sendSome(): void;
}

/** Returns a connection class that logs all events, and sends messages of its own. */
export function loggingConnection(node: LoggingNode): new () => SendingConnection {
  return class LoggingConnection extends SendingConnection {
    readonly #session = node.nextSession();
    readonly #random = node.random.fork(`session ${this.#session}`);
    #sent = 0;
    #unwatch = (): void => {};

    override onOpen(): void {
      this.#add({ type: 'opened' });
      this.sendSome();
      if (this.#random.oneIn(2)) void this.#joinGroup();
    }

    override onMessage(text: string): void {
      this.#add({ type: 'received', text });
      if (this.#random.oneIn(2)) this.sendSome();
      if (this.#random.oneIn(MESSAGES_PER_CLOSE)) this.close(APPLICATION_CLOSE_CODE, 'done');
    }

    override onClose(code: number, reason: string): void {
      this.#unwatch();
      this.#add({ type: 'closed', status: { code, reason } });
    }

    override sendSome(): void {
      for (let count = this.#random.integer(0, 3); count > 0 && !this.isClosed; count -= 1) {
        this.#sent += 1;
        const text = `s${this.#session}-${this.#sent}`;
        this.#add({ type: 'sent', text });
        this.send(text);
      }
    }

    async #joinGroup(): Promise<void> {
      this.#unwatch = node.watchMissed(() => this.#addToGroup({ type: 'missed', from: undefined }));
      await this.join(GROUP, { presence: memberName(this.#attempt) });
      if (!this.isClosed) this.#addToGroup({ type: 'joined' });
    }

    get #attempt(): number {
      return Number(this.info.getArgument('attempt'));
    }

    #addToGroup(event: TopicEvent): void {
      const member = memberName(this.#attempt);
      node.log.add({ source: 'topic', node: member, topic: GROUP, event });
    }

    #add(event: DeliveryEvent): void {
      const attempt = this.#attempt;
      const session = this.#session;
      node.log.add({ source: 'session', node: node.name, attempt, session, event });
    }
  };
}
