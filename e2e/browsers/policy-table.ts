/** The table of docs/content-security-policy.md, and policies made from it. */
import { readFileSync } from 'node:fs';

const TABLE = new URL('../../docs/content-security-policy.md', import.meta.url);

/** Sources of the server in the table. */
const SERVER = 'https://sockjs.example.com';
const SOCKET_SERVER = 'wss://sockjs.example.com';

/** One source of one directive. */
export type Permission = readonly [directive: string, source: string];

/** Directives of every page. `default-src` does not cover forms. */
const BASE: readonly Permission[] = [
  ['default-src', "'none'"],
  ['form-action', "'none'"],
  ['script-src', "'nonce-own'"],
];

function permissionsOf(directives: string): Permission[] {
  return directives.split(';').flatMap((text) => {
    const [directive = '', ...sources] = text.trim().split(/\s+/);
    return [...new Set(sources)].map((source) => [directive, source] as const);
  });
}

/** Permissions of the table by transport, with the sources of a real server in place of the example's. */
export function needed(server: string, socketServer: string): ReadonlyMap<string, Permission[]> {
  const rows = readFileSync(TABLE, 'utf8').matchAll(/^\| `([a-z-]+)` \| `([^`]+)` \|/gm);
  return new Map(
    Array.from(rows, ([, transport = '', directives = '']) => {
      const real = directives.replaceAll(SOCKET_SERVER, socketServer).replaceAll(SERVER, server);
      return [transport, permissionsOf(real)];
    }),
  );
}

export function policyOf(permissions: readonly Permission[]): string {
  const directives = new Map(BASE);
  for (const [directive, source] of permissions) {
    const others = directives.get(directive) ?? "'none'";
    directives.set(directive, others === "'none'" ? source : `${others} ${source}`);
  }
  return Array.from(directives, (entry) => entry.join(' ')).join('; ');
}
