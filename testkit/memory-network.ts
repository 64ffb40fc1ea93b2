/** A network in memory, which replaces the sockets of `node:http` for the processes of a simulation. */
import { EventEmitter } from 'node:events';
import { Agent } from 'node:http';
import { Server } from 'node:net';
import { type Carrier, MemorySocket } from './memory-socket.ts';
import { SimulatedProcess, runOutside } from './simulated-process.ts';
import type { Mocks } from './virtual-process.ts';

const ADDRESS = '127.0.0.1';
const FIRST_PORT = 10_000;

function ignore(): void {}

function errorOf(code: string): Error {
  return Object.assign(new Error(`${code} in memory`), { code });
}

/** One direction between two processes. It keeps the order of events. */
export class Direction {
  readonly #to: SimulatedProcess;
  readonly #delay: () => number;
  readonly #hold: (carry: () => void) => boolean;
  #arrivesAt = 0;

  /**
   * @param delay returns the time until an event arrives, in milliseconds
   * @param hold returns true if it has taken an event, to carry it later
   */
  constructor(
    to: SimulatedProcess,
    delay: () => number,
    hold: (carry: () => void) => boolean = () => false,
  ) {
    this.#to = to;
    this.#delay = delay;
    this.#hold = hold;
  }

  readonly carry: Carrier = (run) => {
    if (this.#hold(() => this.carry(run))) return;
    const now = performance.now();
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.#delay());
    runOutside(() => setTimeout(() => this.#to.run(run), this.#arrivesAt - now));
  };
}

/** A connection between two processes. */
export interface MemoryConnection {
  readonly from: SimulatedProcess;
  readonly to: SimulatedProcess;
  /** Resets the connection at both ends. What is on its way is lost. */
  cut(): void;
}

interface Listening {
  readonly server: Server;
  readonly owner: SimulatedProcess;
}

/** Servers listen on it with `listen`, and clients connect with the `Agent` of `node:http`. */
export class MemoryNetwork {
  readonly #delay: () => number;
  readonly #servers = new Map<number, Listening>();
  readonly #ports = new Map<Server, number>();
  readonly #connections = new Set<MemoryConnection>();
  readonly #sockets = new Set<MemorySocket>();
  readonly #partitions = new Set<string>();
  /** Events between processes that are cut off from each other. */
  #held: (() => void)[] = [];

  /**
   * @param mocks `t.mock`, which restores the sockets at the end of the test
   * @param delay returns the time until an event arrives at the other end, in milliseconds
   */
  constructor(mocks: Mocks, delay: () => number) {
    this.#delay = delay;
    const listen = (server: Server): void => this.#listen(server);
    const portOf = (server: Server): number | undefined => this.#ports.get(server);
    const stop = (port: number): boolean => this.#servers.delete(port);
    mocks.method(Server.prototype, 'listen', function listenInMemory(this: Server) {
      listen(this);
      return this;
    });
    mocks.method(Server.prototype, 'address', function addressInMemory(this: Server) {
      const port = portOf(this);
      return port === undefined ? null : { address: ADDRESS, port, family: 'IPv4' };
    });
    mocks.method(Server.prototype, 'close', function closeInMemory(this: Server, done = ignore) {
      stop(portOf(this) ?? 0);
      process.nextTick(done);
      return this;
    });
    mocks.method(Agent.prototype, 'createConnection', (options: { port: number }) =>
      this.#connect(options.port),
    );
  }

  /** Open connections. */
  get connections(): readonly MemoryConnection[] {
    return [...this.#connections];
  }

  /** Ends the connections and the servers of a process that is dead. */
  drop(owner: SimulatedProcess): void {
    for (const [port, listening] of this.#servers)
      if (listening.owner === owner) this.#servers.delete(port);
    for (const connection of this.#connections)
      if (connection.from === owner || connection.to === owner) connection.cut();
  }

  /** Frees what Node keeps of every server and socket. Call it last, since handlers of dead processes are called too. */
  close(): void {
    for (const server of this.#ports.keys()) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets nothing pass between two processes until `heal` is called. Their connections stay open. */
  partition(one: SimulatedProcess, other: SimulatedProcess): void {
    this.#partitions.add(partitionKey(one, other));
  }

  heal(): void {
    this.#partitions.clear();
    const held = this.#held;
    this.#held = [];
    for (const carry of held) carry();
  }

  #listen(server: Server): void {
    const owner = currentProcess();
    const port = FIRST_PORT + this.#ports.size;
    this.#ports.set(server, port);
    this.#servers.set(port, { server, owner });
    process.nextTick(() => server.emit('listening'));
  }

  #connect(port: number): MemorySocket {
    const from = currentProcess();
    const listening = this.#servers.get(port);
    const to = listening?.owner ?? from;
    const hold = (carry: () => void): boolean => {
      const isHeld = this.#partitions.has(partitionKey(from, to));
      if (isHeld) this.#held.push(carry);
      return isHeld;
    };
    const toServer = new Direction(to, this.#delay, hold);
    const toClient = new Direction(from, this.#delay, hold);
    const { client, server } = MemorySocket.pair({
      remoteAddress: ADDRESS,
      toServer: toServer.carry,
      toClient: toClient.carry,
    });
    this.#sockets.add(client).add(server);
    client.connecting = true;
    if (listening === undefined) {
      toClient.carry(() => client.destroy(errorOf('ECONNREFUSED')));
      return client;
    }
    const ends = [
      { socket: client, owner: from },
      { socket: server, owner: to },
    ];
    const connection: MemoryConnection = {
      from,
      to,
      cut: () => {
        this.#connections.delete(connection);
        for (const { socket, owner } of ends)
          owner.run(() => socket.destroy(errorOf('ECONNRESET')));
      },
    };
    this.#connections.add(connection);
    client.on('close', () => this.#connections.delete(connection));
    // As for a socket of the system, whose errors after its end are ignored.
    for (const { socket } of ends) socket.on('error', () => {});
    toServer.carry(() => {
      if (server.destroyed) return;
      if (this.#servers.get(port) !== listening) {
        // The server has closed before it accepted the connection.
        toClient.carry(() => client.destroy(errorOf('ECONNRESET')));
        return;
      }
      EventEmitter.prototype.emit.call(listening.server, 'connection', server);
      toClient.carry(() => {
        client.connecting = false;
        client.emit('connect');
      });
    });
    return client;
  }
}

function partitionKey(...processes: readonly SimulatedProcess[]): string {
  return processes
    .map(({ name }) => name)
    .toSorted()
    .join();
}

function currentProcess(): SimulatedProcess {
  const current = SimulatedProcess.current();
  if (current === undefined) throw new Error('Only a simulated process has sockets.');
  return current;
}
