/**
 * One attempt to connect, and the session that it opens. It attempts one transport after the other, and aborts one
 * before the next starts, since each opening request is a session and a call of `authorize` on the server.
 */
import { requestInfo } from './info.ts';
import { type Loss, lossOf } from './loss.ts';
import type { CompleteOptions } from './options.ts';
import { Session, type SessionInit, type SessionListener, resourceUrl } from './session.ts';
import type { Outlet, Transport } from './transport.ts';

/** Time for `/info` and the function `token`. */
const PREPARE_TIMEOUT_MS = 10_000;
/** Time for a transport to open, in round trips of `/info`. */
const OPEN_ROUND_TRIPS = 4;
/** More time for the last transport, since `authorize` may be what takes long. */
const LAST_TRANSPORT_MS = 10_000;

export interface AttemptListener extends Omit<SessionListener, 'onOpen'> {
  onOpen(outlet: Outlet, transport: Transport): void;
}

/** Transport that opened after another one had failed, by service. */
const best = new Map<string, Transport>();

/** Opens a session over a transport. @returns undefined once it is open, or the loss if it does not open */
function openOver(
  transport: Transport,
  init: SessionInit,
  timeout: number,
  signal: AbortSignal,
  listener: AttemptListener,
): Promise<Loss | undefined> {
  return new Promise((resolve) => {
    let outlet: Outlet | undefined;
    const session = new Session(init, {
      onMessages: listener.onMessages,
      onOpen: () => {
        clearTimeout(timer);
        resolve(undefined);
        if (outlet !== undefined) listener.onOpen(outlet, transport);
      },
      onLost: (loss) => {
        clearTimeout(timer);
        if (session.isOpen) listener.onLost(loss);
        else resolve(loss);
      },
    });
    const timer = setTimeout(() => session.end(lossOf('Timed out')), timeout);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      session.abort(signal.reason);
    });
    try {
      outlet = transport.open(session);
    } catch (error) {
      session.end(lossOf(error));
    }
  });
}

/** @returns undefined once a session is open, or the loss of the last transport */
async function attempt(
  url: string,
  options: CompleteOptions,
  signal: AbortSignal,
  listener: AttemptListener,
): Promise<Loss | undefined> {
  const { transports, token, server, sessionId, timeout } = options;
  const timer = setTimeout(() => listener.onLost(lossOf('Timed out')), PREPARE_TIMEOUT_MS);
  const [info, text] = await Promise.all([
    requestInfo(url, options, signal),
    // A function that throws counts as one that rejects.
    (async () => token())(),
  ]).finally(() => clearTimeout(timer));
  if ('code' in info) return info;
  const known = best.get(url);
  const candidates = transports
    .filter(({ name }) => info.allowsWebSocket || name !== 'websocket')
    .toSorted((left, right) => Number(right === known) - Number(left === known));
  let loss: Loss | undefined = lossOf('No transport');
  for (const transport of candidates) {
    if (signal.aborted) break;
    const openTimeout =
      Math.max(timeout, OPEN_ROUND_TRIPS * info.roundTrip) +
      (transport === candidates.at(-1) ? LAST_TRANSPORT_MS : 0);
    const init = {
      url: resourceUrl(info.url, `${server}/${sessionId()}`),
      token: text,
      request: options,
    };
    // oxlint-disable-next-line no-await-in-loop -- one opening request at a time
    loss = await openOver(transport, init, openTimeout, signal, listener);
    if (loss === undefined && transport !== candidates[0]) best.set(url, transport);
    // Another transport may open after a fault, or if this one is disabled, which is 404. Other refusals are for all.
    if (loss === undefined || loss.wasClean || (loss.status ?? 404) !== 404) break;
  }
  return loss;
}

/**
 * Opens a session. Its end, or the failure to open one, is reported to the listener.
 * @param signal aborts the attempt or its session, without a report. Its reason is the close status
 */
export async function connectSession(
  url: string,
  options: CompleteOptions,
  signal: AbortSignal,
  listener: AttemptListener,
): Promise<void> {
  const loss = await attempt(url, options, signal, listener).catch(lossOf);
  if (loss !== undefined && !signal.aborted) listener.onLost(loss);
}
