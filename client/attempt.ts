/**
 * One attempt to connect, and the session that it opens. It attempts one transport after the other, and aborts one
 * before the next starts, since each opening request is a session and a call of `authorize` on the server.
 */
import { LAST_TRANSPORT_MS, OPEN_ROUND_TRIPS, PREPARE_TIMEOUT_MS } from './constants.ts';
import { requestInfo } from './info.ts';
import { type Loss, lossOf } from './loss.ts';
import type { CompleteOptions } from './options.ts';
import { Session, type SessionInit, type SessionListener, resourceUrl } from './session.ts';
import type { Outlet, Transport } from './transport.ts';

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
        if (session.isOpen) listener.onLost(loss);
        else resolve(loss);
      },
    });
    const timer = setTimeout(() => session.end(lossOf('Timed out')), timeout);
    session.signal.addEventListener('abort', () => clearTimeout(timer));
    signal.addEventListener('abort', () => session.abort(signal.reason));
    try {
      outlet = transport.open(session);
    } catch (error) {
      session.end(lossOf(error));
    }
  });
}

/**
 * Opens a session. Its end is reported to the listener.
 * @param signal aborts the attempt or its session, without a report. Its reason is the close status
 * @returns undefined once the session is open, or the loss of the last transport
 * @throws an error if there is no service, or `token` throws
 */
export async function connectSession(
  url: string,
  options: CompleteOptions,
  signal: AbortSignal,
  listener: AttemptListener,
): Promise<Loss | undefined> {
  const { transports, token, server, sessionId, timeout } = options;
  // If `token` throws, nothing has been requested, and no timer runs.
  const prepared = Promise.all([token(), requestInfo(url, options, signal)]);
  const timer = setTimeout(() => listener.onLost(lossOf('Timed out')), PREPARE_TIMEOUT_MS);
  const [text, info] = await prepared.finally(() => clearTimeout(timer));
  if ('code' in info) return info;
  const known = best.get(url);
  const candidates = transports
    .filter(({ name }) => info.websocket || name !== 'websocket')
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
