/**
 * Two workers of `node:cluster` with one hub, for tests. The primary process sends everything that the workers report
 * to the test, and commands of the test to the workers. With the argument `no-hub` there is no hub.
 */
import cluster from 'node:cluster';
import { ipcBackplane, startIpcHub } from '../../src/extras/ipc.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

export type Command =
  | { readonly do: 'claim' | 'owner'; readonly key: string }
  | { readonly do: 'publish'; readonly count: number; readonly length: number }
  | { readonly do: 'setFact' | 'readFacts' | 'subscribe' };

export interface Report {
  readonly worker: number;
  readonly pid?: number;
  readonly failed?: string;
  readonly members?: number;
  readonly owner?: string;
  readonly facts?: number;
  readonly missed?: boolean;
  readonly done?: string;
}

function report(values: Omit<Report, 'worker'>): void {
  process.send?.({ worker: cluster.worker?.id, ...values });
}

function runPrimary(): void {
  const hub = process.argv[2] === 'no-hub' ? undefined : startIpcHub();
  cluster.on('message', (_, message: object) => {
    if (!('sockjsHub' in message)) process.send?.(message);
  });
  process.on('message', ({ worker, ...command }: Command & { readonly worker: number }) => {
    if (worker > 0) cluster.workers?.[worker]?.send(command);
    else process.send?.({ dropped: hub?.dropped, rss: process.memoryUsage.rss() });
  });
  cluster.fork();
  cluster.fork();
}

async function runWorker(): Promise<void> {
  const backplane = ipcBackplane();
  // oxlint-disable-next-line typescript/consistent-return -- the switch is exhaustive, as the compiler checks
  const execute = async (command: Command): Promise<Omit<Report, 'worker'>> => {
    switch (command.do) {
      case 'claim':
        return { owner: (await backplane.claim(command.key)).owner };
      case 'owner':
        return { owner: (await backplane.owner(command.key))?.owner ?? 'none' };
      case 'publish':
        for (let index = 0; index < command.count; index += 1)
          backplane.publish('topic', 'x'.repeat(command.length));
        return { done: 'publish' };
      case 'setFact':
        await backplane.setFact('topic', 'field', 'value');
        return { done: 'setFact' };
      case 'readFacts':
        return { facts: (await backplane.facts('topic')).size };
      case 'subscribe':
        await backplane.subscribe('topic');
        return { done: 'subscribe' };
    }
  };
  process.on('message', (command: Command) => {
    if ('do' in command) void execute(command).then(report);
  });
  try {
    await backplane.join({
      namespace: 'test',
      card: '',
      logger: new RecordingLogger(),
      listener: {
        onMessage() {},
        onMissed: () => report({ missed: true }),
        onMembers: ({ size }) => report({ members: size }),
        onClaimLost() {},
        onUp() {},
        onDown() {},
      },
    });
    report({ pid: process.pid });
  } catch (error) {
    report({ failed: String(error) });
  }
}

if (cluster.isPrimary) runPrimary();
else await runWorker();
