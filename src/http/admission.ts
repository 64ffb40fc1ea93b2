/**
 * Who may open a session, and how many may be open. It stands before every new session on every transport,
 * so that a refusal is an HTTP status, and leaves nothing behind.
 */
import { SessionRequest } from '../base/connection-info.ts';
import { REFUSALS, Refusal, type RefusalReason } from '../base/refusal.ts';
import type { Hit } from './request-context.ts';
import type { Authorize } from './settings.ts';

/** Why there is no room for one more. */
function fullness({ service, client }: Hit): RefusalReason | undefined {
  const { sessions, settings } = service;
  if (sessions.isDraining) return 'draining';
  if (sessions.size >= settings.maxSessions) return 'sessionLimit';
  if (sessions.sizeOf(client.address) >= settings.maxSessionsPerAddress)
    return 'addressSessionLimit';
  return undefined;
}

function isRefused(answer: unknown): answer is undefined | null | false {
  return answer === undefined || answer === null || answer === false;
}

async function authorized(
  hit: Hit,
  authorize: Authorize<unknown>,
  open: (user: unknown) => void,
): Promise<void> {
  const { service, exchange } = hit;
  // Two WebSockets may use the same id: nobody looks for their sessions.
  const key = exchange.upgrade === undefined ? service.keyOf(hit) : undefined;
  if (key !== undefined && service.undecidedSessions.has(key))
    return service.refuse(hit, 'sessionOpening');
  const request = new SessionRequest(service.headOf(hit), exchange);
  const answer = await service.undecidedSessions.wait(hit, async () => authorize(request), key);
  if (exchange.isAnswered) return undefined; // Gone, or given up.
  if (answer instanceof Refusal) return service.refuse(hit, 'unauthorized', answer);
  if (isRefused(answer)) return service.refuse(hit, 'unauthorized', REFUSALS.unauthorized);
  const fault = fullness(hit); // Things may have changed meanwhile.
  return fault === undefined ? open(answer) : service.refuse(hit, fault);
}

/** Opens a session for this request, or refuses it. */
export function admit(hit: Hit, open: (user: unknown) => void): void | Promise<void> {
  const { service } = hit;
  const fault = fullness(hit);
  if (fault !== undefined) return service.refuse(hit, fault);
  const { authorize } = service.settings;
  if (authorize === undefined) return open(undefined);
  if (service.undecidedSessions.isFull) return service.refuse(hit, 'pendingLimit');
  return authorized(hit, authorize, open);
}
