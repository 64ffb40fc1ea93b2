/** Forms of import of the package. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Scenario } from '../scenario.ts';

const require = createRequire(import.meta.url);

function typesOf(module: unknown): string[] {
  return ['createServer', 'listen'].map(
    (name) => `${name}: ${typeof Reflect.get(Object(module), name)}`,
  );
}

export const MODULE: readonly Scenario[] = [
  {
    title: 'named, default and namespace imports, and require',
    async run(stage) {
      const namespace = (await import(pathToFileURL(stage.side.file).href)) as {
        readonly default: unknown;
        readonly createServer: unknown;
      };
      const required = require(stage.side.file) as typeof namespace;
      return {
        named: typesOf(namespace),
        default: typesOf(namespace.default),
        required: typesOf(required),
        isSame: required.createServer === namespace.createServer,
      };
    },
  },
  {
    title: 'functions without arguments',
    async run(stage) {
      const { createServer, listen } = stage.side.sockjs;
      return {
        lengths: [createServer.length, listen.length],
        created: typeof createServer().installHandlers,
        listening: typeof listen().installHandlers,
        apart: createServer() !== createServer(),
      };
    },
  },
];
