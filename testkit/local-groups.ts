import { LOCAL_NETWORK } from '../src/groups/group-network.ts';
import { Groups } from '../src/groups/groups.ts';
import type { GroupContext } from '../src/groups/memberships.ts';
import { RecordingLogger } from './logger.ts';

/** Returns groups for connections that a test creates without a router. */
export function localGroups(): GroupContext {
  const groups = new Groups('', LOCAL_NETWORK, new RecordingLogger());
  return { groups, settings: { maxGroups: 10, maxPresenceBytes: 100 } };
}
