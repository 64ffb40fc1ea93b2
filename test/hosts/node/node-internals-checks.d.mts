import type * as internals from '../../../src/hosts/node/node-internals.ts';

/** Checks by title. Each one rejects if Node does not behave as the module needs. */
export const CHECKS: Readonly<Record<string, (module: typeof internals) => Promise<void>>>;
