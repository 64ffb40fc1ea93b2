/** Undocumented parts of Node, on the Node of this run. The test of the package runs the same on all supported lines. */
import { test } from 'node:test';
import * as internals from '../../../src/hosts/node/node-internals.ts';
import { CHECKS } from './node-internals-checks.mjs';

for (const [title, check] of Object.entries(CHECKS)) test(title, () => check(internals));
