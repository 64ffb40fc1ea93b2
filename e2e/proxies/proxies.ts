/**
 * How each proxy is started with its file in `deploy/`, without root and in a directory of its own. The
 * ports are fixed, below those that the system gives out: nginx knows no variables in its configuration.
 */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, removed, temporaryDirectory } from './program.ts';

/** A key and a self-signed certificate for 127.0.0.1. */
function selfSigned(): { readonly key: string; readonly cert: string } {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const args = ['req', '-x509', ...kind, ...subject, '-days', '1', '-keyout', '-', '-out', '-'];
  const both = execFileSync('openssl', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const start = both.indexOf('-----BEGIN CERTIFICATE');
  return { key: both.slice(0, start), cert: both.slice(start) };
}

export const CERTIFICATE = selfSigned();

export interface Proxy {
  readonly port: number;
  /** Where TLS ends; undefined if started without. */
  readonly tlsPort: number | undefined;
  stop(): Promise<void>;
}

export interface Recipe {
  readonly name: string;
  /** In `deploy/`. */
  readonly file: string;
  readonly nodePorts: readonly [number, number];
  /** Whether a node that refuses new sessions while it drains is passed over for them. */
  readonly passesOverDraining: boolean;
  /** Which lines of the file set how long a connection may be idle. */
  readonly idleTimeout: RegExp | undefined;
  start(): Promise<Proxy>;
  /** Beside the one that `start` starts, without TLS, and with the file changed. */
  startChanged(change: (text: string) => string): Promise<Proxy>;
}

export function deployed(file: string): string {
  return fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url));
}

export async function readDeployed(file: string): Promise<string> {
  return readFile(deployed(file), 'utf8');
}

/** A changed copy of a file. @returns its path */
async function changed(
  file: string,
  directory: string,
  change: (text: string) => string,
): Promise<string> {
  const path = join(directory, `changed-${file}`);
  await writeFile(path, change(await readDeployed(file)));
  return path;
}

/** Fills a directory, starts programs in it, and takes both away again. */
async function running(
  ports: { readonly port: number; readonly tlsPort: number | undefined },
  start: (directory: string) => Promise<readonly Program[]>,
): Promise<Proxy> {
  const directory = await temporaryDirectory();
  // Started by root, nginx works as somebody else, who has to get in.
  await chmod(directory, 0o755);
  const programs = await start(directory);
  const stop = async (): Promise<void> => {
    await Promise.all(programs.map((program) => program.stop()));
    await removed(directory);
  };
  try {
    await Promise.all(
      programs.map((program, index) =>
        program.listens(index === 0 ? ports.port : (ports.tlsPort ?? 0)),
      ),
    );
    return { ...ports, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function haproxy(
  file: string,
  port: number,
  tlsPort: number,
  env: NodeJS.ProcessEnv = {},
): Program {
  const ports = { PORT: String(port), TLS_PORT: String(tlsPort) };
  const nodes = { NODE_A: '127.0.0.1:9101', NODE_B: '127.0.0.1:9102' };
  return new Program('haproxy', ['-db', '-f', file], { ...ports, ...nodes, ...env });
}

export const HAPROXY: Recipe = {
  name: 'HAProxy',
  file: 'haproxy.cfg',
  nodePorts: [9101, 9102],
  passesOverDraining: true,
  idleTimeout: /^ *timeout (?:client|server|tunnel) (\d+)s$/gm,
  start: () =>
    running({ port: 8180, tlsPort: 8543 }, async (directory) => {
      const certificate = join(directory, 'both.pem');
      await writeFile(certificate, CERTIFICATE.cert + CERTIFICATE.key);
      return [haproxy(deployed('haproxy.cfg'), 8180, 8543, { CERTIFICATE: certificate })];
    }),
  startChanged: (change) =>
    running({ port: 8179, tlsPort: undefined }, async (directory) => [
      haproxy(await changed('haproxy.cfg', directory, change), 8179, 8542),
    ]),
};

function nginx(directory: string, file: string): Program {
  const args = ['-p', `${directory}/`, '-e', 'stderr', '-g', 'daemon off;', '-c', file];
  return new Program('nginx', args);
}

export const NGINX: Recipe = {
  name: 'nginx',
  file: 'nginx.conf',
  nodePorts: [9001, 9002],
  passesOverDraining: true,
  idleTimeout: /^ *proxy_(?:read|send)_timeout (\d+)s;$/gm,
  start: () =>
    running({ port: 8080, tlsPort: 8443 }, async (directory) => {
      // What it includes lies beside it, so it has to be found in a directory that can be written to.
      const file = join(directory, 'nginx.conf');
      await symlink(deployed('nginx.conf'), file);
      await mkdir(join(directory, 'tls'));
      await writeFile(join(directory, 'tls', 'cert.pem'), CERTIFICATE.cert);
      await writeFile(join(directory, 'tls', 'key.pem'), CERTIFICATE.key);
      const lines = [
        'listen 8443 ssl;',
        'ssl_certificate tls/cert.pem;',
        'ssl_certificate_key tls/key.pem;',
      ];
      await writeFile(join(directory, 'tls', 'tls.conf'), lines.join('\n'));
      return [nginx(directory, file)];
    }),
  startChanged: (change) =>
    running({ port: 8079, tlsPort: undefined }, async (directory) => {
      const file = await changed('nginx.conf', directory, (text) =>
        change(text).replace('listen 8080', 'listen 8079'),
      );
      return [nginx(directory, file)];
    }),
};

function caddy(directory: string, env: NodeJS.ProcessEnv, file = deployed('Caddyfile')): Program {
  const args = ['run', '--config', file, '--adapter', 'caddyfile'];
  const nodes = { NODE_A: '127.0.0.1:9201', NODE_B: '127.0.0.1:9202' };
  const folders = { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory };
  return new Program('caddy', args, { ...nodes, ...folders, ...env });
}

export const CADDY: Recipe = {
  name: 'Caddy',
  file: 'Caddyfile',
  nodePorts: [9201, 9202],
  passesOverDraining: false,
  idleTimeout: undefined,
  start: () =>
    running({ port: 8280, tlsPort: 8643 }, async (directory) => {
      const cert = join(directory, 'cert.pem');
      const key = join(directory, 'key.pem');
      await writeFile(cert, CERTIFICATE.cert);
      await writeFile(key, CERTIFICATE.key);
      const tls = {
        ADDRESS: 'https://127.0.0.1:8643',
        TLS: `tls ${cert} ${key}`,
        HTTP_PORT: '8281',
      };
      return [caddy(directory, { ADDRESS: ':8280' }), caddy(directory, tls)];
    }),
  startChanged: (change) =>
    running({ port: 8279, tlsPort: undefined }, async (directory) => {
      const file = await changed('Caddyfile', directory, change);
      return [caddy(directory, { ADDRESS: ':8279' }, file)];
    }),
};
