/** A test that fails before it closes its clients, after it has awaited the close of another one. */
import { SockJSConnection } from '../../src/index.ts';
import { openConnection } from '../../src/extras/testing.ts';
import { TRANSPORT_NAMES } from '../../src/base/transport-name.ts';

class Quiet extends SockJSConnection {
  override onMessage(): void {}
}

await Promise.all(TRANSPORT_NAMES.map((transport) => openConnection(Quiet, { transport })));
process.stdout.write(
  `${process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length} timers\n`,
);

const settings = { maxSessionAge: 200, logger: false } as const;
const client = await openConnection(Quiet, { settings });
const { code } = await client.closed;
process.stdout.write(`closed with ${code}\n`);
