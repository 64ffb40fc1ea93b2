/** RabbitMQ with its STOMP plugin: one node with its own directory, ports and port mapper. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Program, temporaryDirectory } from '../../testkit/process.ts';
import type { TestScope } from '../../testkit/scope.ts';
import { freePorts } from '../../testkit/server.ts';

/** Debian's scripts that run as the user who starts them. */
const SCRIPT = '/usr/lib/rabbitmq/bin/rabbitmq-server';

export interface Broker {
  readonly port: number;
  stop(): Promise<void>;
}

/** @param scope stops the broker at its end, if `stop` has not done so before */
export async function startRabbitMq(scope: TestScope): Promise<Broker> {
  const directory = await temporaryDirectory(scope);
  const [stomp = 0, amqp = 0, distribution = 0, mapper = 0] = await freePorts(4);
  const listeners = [
    `listeners.tcp.1 = 127.0.0.1:${amqp}`,
    `stomp.listeners.tcp.1 = 127.0.0.1:${stomp}`,
  ];
  await writeFile(join(directory, 'rabbitmq.conf'), `${listeners.join('\n')}\n`);
  await writeFile(join(directory, 'plugins'), '[rabbitmq_stomp].\n');
  // Without it, Erlang starts a port mapper that outlives the test.
  const epmd = new Program('epmd', ['-port', String(mapper), '-address', '127.0.0.1']);
  const env = {
    HOME: directory,
    // The script becomes the broker, in place of a parent process that would hide its exit.
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
    LANG: 'C.UTF-8',
  };
  const rabbit = new Program(SCRIPT, [], { env });
  const stop = async (): Promise<void> => {
    await rabbit.stop();
    await epmd.stop();
  };
  scope.after(stop);
  await epmd.listens([mapper]);
  await rabbit.prints(/Server startup complete/);
  return { port: stomp, stop };
}
