/** Events of the page that concern connections. A worker has some of them, and a server none. */

type PageEvent = 'online' | 'pagehide' | 'pageshow' | 'visibilitychange';

interface Page {
  readonly location?: { readonly href: string };
  addEventListener?(type: string, listener: () => void, options: { signal: AbortSignal }): void;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- servers have neither of the two
export const page = globalThis as Page;

/** @param signal aborts when the events are no longer needed */
export function listenToPage(
  listeners: Readonly<Record<PageEvent, () => void>>,
  signal: AbortSignal,
): void {
  for (const [type, listener] of Object.entries(listeners))
    page.addEventListener?.(type, listener, { signal });
}
