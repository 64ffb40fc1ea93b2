/** RabbitMQ with its STOMP plugin: a node of its own, with its own directory, ports and port mapper. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Program, removed, temporaryDirectory } from './program.ts';
import { listen } from '../../testkit/server.ts';

/** Where Debian has the scripts that run as whoever calls them. */
const SCRIPT = '/usr/lib/rabbitmq/bin/rabbitmq-server';

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map((server) => listen(server)));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface Broker {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startRabbitMq(): Promise<Broker> {
  const directory = await temporaryDirectory();
  const [stomp = 0, amqp = 0, distribution = 0, mapper = 0] = await freePorts(4);
  const listeners = [
    `listeners.tcp.1 = 127.0.0.1:${amqp}`,
    `stomp.listeners.tcp.1 = 127.0.0.1:${stomp}`,
  ];
  await writeFile(join(directory, 'rabbitmq.conf'), `${listeners.join('\n')}\n`);
  await writeFile(join(directory, 'plugins'), '[rabbitmq_stomp].\n');
  // Otherwise Erlang would start one that stays.
  const epmd = new Program('epmd', ['-port', String(mapper), '-address', '127.0.0.1']);
  const rabbit = new Program(SCRIPT, [], {
    HOME: directory,
    // The script becomes the broker itself, in place of a parent of it that would hide its end.
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_NODENAME: `sockjs-${randomUUID()}@localhost`,
    RABBITMQ_NODE_PORT: String(amqp),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'plugins'),
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(directory, 'pid'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-start_epmd false',
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  });
  const stop = async (): Promise<void> => {
    await rabbit.stop();
    await epmd.stop();
    await removed(directory);
  };
  try {
    await epmd.listens(mapper);
    await rabbit.prints(/Server startup complete/);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port: stomp, stop };
}
