/** Owners that have ended, and owners that are only cut off from the backplane or from another node. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MemoryHub } from '../../src/index.ts';
import { type TestNode, startNode, startNodes } from '../../testkit/cluster-nodes.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { StallingStage } from '../../testkit/network-faults.ts';
import { TcpRelay } from '../../testkit/tcp-relay.ts';
import { until } from '../../testkit/until.ts';

const POLL = { method: 'POST', path: '/echo/000/session/xhr' };
const STREAM = { method: 'POST', path: '/echo/000/session/xhr_streaming' };
const NODE_IS_GONE = 'c[1001,"Node is gone"]\n';

function send(text: string): { method: string; path: string; body: string } {
  const path = '/echo/000/session/xhr_send';
  return { method: 'POST', path, body: JSON.stringify([text]) };
}

interface Site {
  readonly edge: TestNode;
  readonly other: TestNode;
  readonly owner: TestNode;
  /** Network to the relay listener of the owner. */
  readonly path: TcpRelay;
  readonly stalling: StallingStage;
  /** Cuts the owner off from the backplane, where its record expires. */
  readonly cutOff: () => void;
  readonly faults: EngineFaults;
}

/** Starts three nodes, of which one owns the session. */
async function startSite(t: TestContext): Promise<Site> {
  const hub = new MemoryHub();
  const faults = new EngineFaults();
  const heartbeatInterval = 100;
  const [edge, other] = await startNodes(t, 2, { hub, heartbeatInterval });
  const stalling = new StallingStage();
  const { stage } = stalling;
  const path = await TcpRelay.start(0, { toServer: stage, toClient: stage });
  t.after(() => path.close());
  const options = { advertise: { port: path.port } };
  const owner = await startNode(t, { hub, faults, heartbeatInterval, options });
  path.targetPort = owner.relayPort;
  await until(() => edge.cluster.members.length === 3, 'all members');
  assert.equal((await httpRequest(owner.port, POLL)).body, 'o\n');
  const cutOff = (): void => {
    faults.cut();
    hub.members.delete(`sockjs member ${owner.cluster.id}`);
  };
  return { edge, other, owner, path, stalling, faults, cutOff };
}

async function assertEchoes(receiver: TestNode, sender: TestNode, text: string): Promise<void> {
  assert.equal((await httpRequest(sender.port, send(text))).status, 204);
  assert.equal((await httpRequest(receiver.port, POLL)).body, `a["${text}"]\n`);
}

test('an owner whose record has expired keeps its sessions while its relay listener responds', async (t) => {
  const { edge, other, owner, faults, cutOff } = await startSite(t);
  const pendingPoll = httpRequest(edge.port, POLL);
  await until(() => owner.cluster.stats.relayedIn === 1, 'the relayed poll');
  cutOff();
  await until(() => edge.cluster.members.length === 2, 'the end of the record');
  // This node has to look the owner up.
  await until(() => other.cluster.members.length === 2, 'the end of the record');
  assert.equal((await httpRequest(other.port, send('a'))).status, 204);
  assert.equal((await pendingPoll).body, 'a["a"]\n');
  await assertEchoes(other, edge, 'b');
  await faults.mend();
  await until(() => edge.cluster.members.length === 3, 'the record');
  await assertEchoes(edge, other, 'c');
});

test('an owner whose record has expired, and that does not respond, is gone', async (t) => {
  const { edge, other, owner, stalling, cutOff } = await startSite(t);
  const pendingPoll = httpRequest(edge.port, POLL);
  await until(() => owner.cluster.stats.relayedIn === 1, 'the relayed poll');
  stalling.stall();
  cutOff();
  assert.equal((await pendingPoll).body, NODE_IS_GONE);
  for (const { port } of [edge, other]) {
    await until(async () => (await httpRequest(port, send('a'))).status === 404, 'the status 404');
    assert.equal((await httpRequest(port, POLL)).body, NODE_IS_GONE);
  }
});

test('a session of an ended node is closed when a new node has the address of the ended one', async (t) => {
  const { edge, other, path } = await startSite(t);
  path.targetPort = other.relayPort;
  path.reset();
  for (const { port } of [edge, edge, other]) {
    assert.equal((await httpRequest(port, POLL)).body, NODE_IS_GONE);
    assert.equal((await httpRequest(port, send('late'))).status, 404);
  }
});

test('a relayed stream ends when its connection breaks, so that the client polls again', async (t) => {
  const { edge, owner, path } = await startSite(t);
  const stream = httpConnection(t, edge.port);
  stream.send(STREAM);
  await stream.readHead();
  await stream.nextChunk();
  assert.equal((await httpRequest(owner.port, send('a'))).status, 204);
  assert.equal(await stream.nextChunk(), 'a["a"]\n');
  path.reset();
  assert.equal(await stream.nextChunk(), undefined);
  assert.equal((await httpRequest(edge.port, POLL)).body, 'c[1002,"Connection interrupted"]\n');
});

test('a session is interrupted when its response is lost between two nodes', async (t) => {
  const { edge, owner, path, stalling } = await startSite(t);
  const lost = httpRequest(edge.port, POLL);
  await until(() => owner.cluster.stats.relayedIn === 1, 'the relayed poll');
  stalling.stall();
  assert.equal((await httpRequest(owner.port, send('a'))).status, 204);
  path.reset();
  assert.equal((await lost).body, NODE_IS_GONE);
  const next = await httpRequest(owner.port, POLL);
  assert.equal(next.body, 'c[1002,"Connection interrupted"]\n');
});
