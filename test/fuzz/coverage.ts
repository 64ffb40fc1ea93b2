/**
 * Branches of the server that have run, as V8 counts them in this process. V8 decides what counts as a branch,
 * which is exact enough to find inputs that reach new code.
 */
import { type Profiler, Session } from 'node:inspector';

const COVERED_FILES = /\/src\//;

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

  /** Returns the branches that have run since the last call. */
  take(): Set<string> {
    const ran = new Set<string>();
    // A session with its own thread calls back before `post` returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, report) => {
      if (error === null) for (const script of report.result) addBranches(ran, script);
    });
    return ran;
  }

  /** Returns the branches that have run since the last call, and never before. */
  takeNew(): Set<string> {
    const ran = this.take();
    for (const branch of ran) if (this.#known.has(branch)) ran.delete(branch);
    for (const branch of ran) this.#known.add(branch);
    return ran;
  }
}

function addBranches(ran: Set<string>, { url, functions }: Profiler.ScriptCoverage): void {
  if (!COVERED_FILES.test(url)) return;
  const file = url.slice(url.lastIndexOf('/') + 1);
  for (const { ranges } of functions) {
    for (const { count, startOffset, endOffset } of ranges) {
      if (count > 0) ran.add(`${file}:${startOffset}-${endOffset}`);
    }
  }
}
