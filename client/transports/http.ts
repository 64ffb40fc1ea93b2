/** Sending and receiving requests of the HTTP transports. */
import { MAX_FRAME_LENGTH } from '../constants.ts';
import { readText } from '../read-text.ts';
import type { Session } from '../session.ts';
import type { Outlet } from '../transport.ts';

/** Sends each body as one `xhr_send`. The socket waits for the response, so nothing is buffered here. */
export function postOutlet(session: Session): Outlet {
  return {
    send: async (body) => (await session.post('xhr_send', body)) !== undefined,
  };
}

/**
 * Receives a frame from each line of a response. A line that is too long ends the session.
 * @returns the text after the last line break
 */
async function receiveLines(session: Session, response: Response): Promise<string> {
  let rest = '';
  await readText(response, (text) => {
    const lines = text.split('\n');
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? '';
    for (const line of lines) session.receive(line);
    if (rest.length > MAX_FRAME_LENGTH) session.receive(rest);
  });
  return rest;
}

async function receive(session: Session, leaf: string): Promise<void> {
  for (;;) {
    const { frames } = session;
    // oxlint-disable-next-line no-await-in-loop -- a session has one receiving request at a time
    const response = await session.post(leaf);
    if (response === undefined) return;
    // oxlint-disable-next-line no-await-in-loop -- see above
    const rest = await receiveLines(session, response).catch(() => undefined);
    // A response with a part of a frame is cut, and one without a frame would repeat endlessly.
    if (rest !== '' || frames === session.frames) session.fail();
    if (session.signal.aborted) return;
  }
}

/** Opens a session whose responses have one frame in each line. */
export function openByPost(session: Session, leaf: string): Outlet {
  void receive(session, leaf);
  return postOutlet(session);
}
