/**
 * Which branches of the server have run, as V8 counts them in this process. What has a branch to itself is the
 * engine's decision; for finding inputs that reach something new it is good enough.
 */
import { type Profiler, Session } from 'node:inspector';

const WATCHED = /\/src\/|\/node_modules\/ws\/lib\//;

export class Coverage {
  readonly #session = new Session();
  readonly #known = new Set<string>();

  start(): void {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  stop(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  get branches(): number {
    return this.#known.size;
  }

  /** What has run since the last time. */
  take(): Set<string> {
    const ran = new Set<string>();
    // This session is one with its own thread: it answers before it returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, report) => {
      if (error === null) for (const script of report.result) addTo(ran, script);
    });
    return ran;
  }

  /** What has run since the last time, and never before. */
  takeNew(): Set<string> {
    const ran = this.take();
    for (const branch of ran) if (this.#known.has(branch)) ran.delete(branch);
    for (const branch of ran) this.#known.add(branch);
    return ran;
  }
}

function addTo(ran: Set<string>, { url, functions }: Profiler.ScriptCoverage): void {
  if (!WATCHED.test(url)) return;
  const file = url.slice(url.lastIndexOf('/') + 1);
  for (const { ranges } of functions) {
    for (const { count, startOffset, endOffset } of ranges) {
      if (count > 0) ran.add(`${file}:${startOffset}-${endOffset}`);
    }
  }
}
