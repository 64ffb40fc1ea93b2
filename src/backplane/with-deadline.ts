import { SockJSError } from '../base/errors.ts';

const TIMEOUT_MS = 2000;

/**
 * Limits the time of an operation of an engine to 2 s.
 * @param findCause returns the cause of the delay, if it is known
 * @throws SockJSError `ERR_BACKPLANE` as a rejection, after that time
 */
export async function withDeadline<Value>(
  operation: Promise<Value>,
  findCause: () => string | undefined = () => undefined,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const cause = findCause() ?? `no response within ${TIMEOUT_MS} ms`;
      reject(new SockJSError('ERR_BACKPLANE', `The backplane is not available: ${cause}.`));
    }, TIMEOUT_MS);
  });
  try {
    return await Promise.race([operation, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Records that an engine stores well within the time limit. */
const BATCH_SIZE = 1000;

/** Performs an operation on many records. The time limit is for each batch, since their number has no limit. */
export async function inBatches<Item>(
  items: readonly Item[],
  operation: (batch: readonly Item[]) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < items.length; start += BATCH_SIZE)
    // oxlint-disable-next-line no-await-in-loop -- one batch after the other
    await withDeadline(operation(items.slice(start, start + BATCH_SIZE)));
}
