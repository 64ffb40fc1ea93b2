/**
 * Resolves after a time in milliseconds, by the global timer, which simulations replace.
 * @param keepsProcess false if the process may end before
 */
export function sleep(milliseconds: number, keepsProcess = true): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    if (!keepsProcess) timer.unref();
  });
}
