/** The two packages that are compared: npm `sockjs` and the drop-in. */
import { createRequire } from 'node:module';
import type { LegacyModule, LegacyTransportModule } from './legacy.ts';

export interface Side {
  readonly name: 'original' | 'drop-in';
  /** Path of the main module. It can be required and imported. */
  readonly file: string;
  readonly transportFile: string;
  readonly sockjs: LegacyModule;
  readonly privateParts: LegacyTransportModule;
}

const require = createRequire(import.meta.url);

function loadSide(name: Side['name'], main: string, transport: string): Side {
  return {
    name,
    file: require.resolve(main),
    transportFile: require.resolve(transport),
    sockjs: require(main) as LegacyModule,
    privateParts: require(transport) as LegacyTransportModule,
  };
}

export const ORIGINAL: Side = loadSide('original', 'sockjs', 'sockjs/lib/transport');
export const DROP_IN: Side = loadSide(
  'drop-in',
  '../../src/extras/sockjs.ts',
  '../../src/extras/sockjs-transport.ts',
);
