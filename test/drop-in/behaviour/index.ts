/** All scenarios, by subject. */
import type { Scenario } from '../scenario.ts';
import { CLOSING } from './closing.ts';
import { FAULTS } from './faults.ts';
import { HEADERS } from './headers.ts';
import { OPTIONS } from './options.ts';
import { RESPONSES } from './responses.ts';
import { INPUT } from './input.ts';
import { MODULE } from './module.ts';
import { PRIVATE_PARTS } from './private-parts.ts';
import { PREFIXES } from './prefixes.ts';
import { SERVER } from './server.ts';
import { CONNECTION } from './connection.ts';

export const BEHAVIOUR: Readonly<Record<string, readonly Scenario[]>> = {
  module: MODULE,
  connection: CONNECTION,
  'writing and closing': CLOSING,
  input: INPUT,
  responses: RESPONSES,
  headers: HEADERS,
  options: OPTIONS,
  server: SERVER,
  prefixes: PREFIXES,
  'private parts': PRIVATE_PARTS,
  faults: FAULTS,
};
