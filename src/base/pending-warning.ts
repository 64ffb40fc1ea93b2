/** Time after which a pending call of the application is reported. */
const WARNING_AFTER_MS = 5000;

/**
 * Calls `warn` if a call of the application is still pending after 5 s.
 * @returns a function to call when it has settled
 */
export function warnIfPending(warn: () => void): () => void {
  const timer = setTimeout(warn, WARNING_AFTER_MS).unref();
  return () => clearTimeout(timer);
}
