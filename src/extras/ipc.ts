/** The backplane of a cluster of workers: `import { ipcBackplane, startIpcHub } from 'sockjs-server/ipc'`. */
import cluster from 'node:cluster';
import type { Backplane } from '../backplane/backplane.ts';
import { EngineBackplane } from '../backplane/engine-backplane.ts';
import { IpcEngine } from '../backplane/ipc-engine.ts';
import { IpcHub } from '../backplane/ipc-hub.ts';
import { SockJSError } from '../base/errors.ts';

export type { Backplane } from '../backplane/backplane.ts';

/** The hub in the primary process. */
export interface IpcHubStatus {
  /** Number of messages that were dropped, because a worker did not read. The worker reports them as missed. */
  readonly dropped: number;
}

let hub: IpcHub | undefined;

/**
 * Starts the hub in the primary process of `node:cluster`, before it forks workers. The hub keeps what the workers
 * share. A second call returns the same hub.
 *
 * ```ts
 * if (cluster.isPrimary) {
 *   startIpcHub();
 *   for (let count = 0; count < availableParallelism(); count += 1) cluster.fork();
 * }
 * ```
 *
 * @throws SockJSError `ERR_BACKPLANE` in a worker
 */
export function startIpcHub(): IpcHubStatus {
  if (!cluster.isPrimary) {
    const text = 'startIpcHub() belongs into the primary process. Call ipcBackplane() in a worker.';
    throw new SockJSError('ERR_BACKPLANE', text);
  }
  if (hub !== undefined) return hub;
  const started = new IpcHub();
  cluster.on('fork', (worker) => started.attach(worker));
  for (const worker of Object.values(cluster.workers ?? {}))
    if (worker !== undefined) started.attach(worker);
  hub = started;
  return started;
}

/**
 * Creates the backplane of a worker of `node:cluster`. Its primary process calls `startIpcHub`. The workers of a machine
 * reach each other on the loopback interface.
 *
 * ```ts
 * const cluster = createCluster({ backplane: ipcBackplane(), listen: { host: '127.0.0.1' } });
 * const router = new SockJSRouter(Echo, '/echo', { cluster });
 * router.listen(9999);
 * ```
 *
 * The hub and its workers send messages with the key `sockjsHub` over the channel of `process.send`. Listeners of the
 * application for `message` ignore them.
 *
 * @throws SockJSError `ERR_BACKPLANE` outside of a worker
 */
export function ipcBackplane(): Backplane {
  if (!cluster.isWorker) {
    const text =
      'ipcBackplane() is for workers of node:cluster. Call startIpcHub() in the primary process, and fork workers.';
    throw new SockJSError('ERR_BACKPLANE', text);
  }
  return new EngineBackplane(new IpcEngine(process));
}
