/**
 * Proxies with their files in `deploy/`, started without root in a temporary directory. Their ports are fixed and
 * below the ephemeral ones, because the configuration of nginx has no variables.
 */
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { selfSignedCertificate } from '../../testkit/certificate.ts';
import { Program, temporaryDirectory } from '../../testkit/process.ts';

export const CERTIFICATE = selfSignedCertificate();

export interface Proxy {
  readonly port: number;
  /** Port for TLS; undefined without TLS. */
  readonly tlsPort: number | undefined;
  stop(): Promise<void>;
}

export interface ProxySetup {
  readonly name: string;
  /** Name of its file in `deploy/`. */
  readonly file: string;
  readonly nodePorts: readonly [number, number];
  /** Ports of the nodes for HTTP/2 without TLS. */
  readonly http2NodePorts?: readonly [number, number];
  /** Sends new sessions to the other node while one refuses them, because it drains. */
  readonly skipsDrainingNodes: boolean;
  /** Matches the idle timeouts of the file, in seconds. */
  readonly idleTimeout: RegExp | undefined;
  /** Protocol that browsers and the proxy choose over TLS. */
  readonly tlsProtocol: 'h2' | 'http/1.1';
  start(): Promise<Proxy>;
  /** Starts a second proxy with a changed file and without TLS. */
  startChanged(change: (text: string) => string): Promise<Proxy>;
}

export function deployedPath(file: string): string {
  return fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url));
}

export async function readDeployed(file: string): Promise<string> {
  return readFile(deployedPath(file), 'utf8');
}

/** Writes a changed copy of a file. @returns its path */
async function changedCopy(
  file: string,
  directory: string,
  change: (text: string) => string,
): Promise<string> {
  const path = join(directory, `changed-${file}`);
  await writeFile(path, change(await readDeployed(file)));
  return path;
}

/** Starts programs in a temporary directory. `stop` removes it. */
async function startPrograms(
  ports: { readonly port: number; readonly tlsPort: number | undefined },
  start: (directory: string) => Promise<readonly Program[]>,
): Promise<Proxy> {
  let remove: () => void | Promise<void> = () => {};
  const directory = await temporaryDirectory({
    after(cleanup) {
      remove = cleanup;
    },
  });
  // Started by root, nginx runs as another user, who needs access.
  await chmod(directory, 0o755);
  const programs = await start(directory);
  const stop = async (): Promise<void> => {
    await Promise.all(programs.map((program) => program.stop()));
    await remove();
  };
  try {
    await Promise.all(
      programs.map((program, index) =>
        program.listens([index === 0 ? ports.port : (ports.tlsPort ?? 0)]),
      ),
    );
    return { ...ports, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function addresses(
  names: readonly [string, string],
  ports: readonly [number, number],
): Readonly<Record<string, string>> {
  return { [names[0]]: `127.0.0.1:${ports[0]}`, [names[1]]: `127.0.0.1:${ports[1]}` };
}

interface HaproxyPorts extends Pick<ProxySetup, 'nodePorts' | 'http2NodePorts'> {
  /** The first of four: HTTP, TLS, and both of a changed copy. */
  readonly first: number;
}

function haproxySetup({ first, nodePorts, http2NodePorts }: HaproxyPorts): ProxySetup {
  const [port, tlsPort, changedPort, changedTlsPort] = [first, first + 1, first + 2, first + 3];
  const nodes = {
    ...addresses(['NODE_A', 'NODE_B'], nodePorts),
    ...(http2NodePorts && addresses(['HTTP2_NODE_A', 'HTTP2_NODE_B'], http2NodePorts)),
  };
  const run = (file: string, env: Readonly<Record<string, string>>): Program =>
    new Program('haproxy', ['-db', '-f', file], { env: { ...nodes, ...env } });
  return {
    name: 'HAProxy',
    file: 'haproxy.cfg',
    nodePorts,
    ...(http2NodePorts && { http2NodePorts }),
    skipsDrainingNodes: true,
    idleTimeout: /^ *timeout (?:client|server|tunnel) (\d+)s$/gm,
    tlsProtocol: 'h2',
    start: () =>
      startPrograms({ port, tlsPort }, async (directory) => {
        const certificate = join(directory, 'both.pem');
        await writeFile(certificate, CERTIFICATE.cert + CERTIFICATE.key);
        const ports = { PORT: String(port), TLS_PORT: String(tlsPort) };
        return [run(deployedPath('haproxy.cfg'), { ...ports, CERTIFICATE: certificate })];
      }),
    startChanged: (change) =>
      startPrograms({ port: changedPort, tlsPort: undefined }, async (directory) => {
        const ports = { PORT: String(changedPort), TLS_PORT: String(changedTlsPort) };
        return [run(await changedCopy('haproxy.cfg', directory, change), ports)];
      }),
  };
}

export const HAPROXY: ProxySetup = haproxySetup({ first: 8180, nodePorts: [9101, 9102] });

/** With WebSockets over HTTP/2 between HAProxy and the nodes. */
export const HAPROXY_HTTP2: ProxySetup = haproxySetup({
  first: 8190,
  nodePorts: [9103, 9104],
  http2NodePorts: [9105, 9106],
});

function nginx(directory: string, file: string): Program {
  const args = ['-p', `${directory}/`, '-e', 'stderr', '-g', 'daemon off;', '-c', file];
  return new Program('nginx', args);
}

export const NGINX: ProxySetup = {
  name: 'nginx',
  file: 'nginx.conf',
  nodePorts: [9001, 9002],
  skipsDrainingNodes: true,
  idleTimeout: /^ *proxy_(?:read|send)_timeout (\d+)s;$/gm,
  tlsProtocol: 'http/1.1',
  start: () =>
    startPrograms({ port: 8080, tlsPort: 8443 }, async (directory) => {
      // nginx includes files relative to this one, so it needs a place in a writable directory.
      const file = join(directory, 'nginx.conf');
      await symlink(deployedPath('nginx.conf'), file);
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
    startPrograms({ port: 8079, tlsPort: undefined }, async (directory) => {
      const file = await changedCopy('nginx.conf', directory, (text) =>
        change(text).replace('listen 8080', 'listen 8079'),
      );
      return [nginx(directory, file)];
    }),
};

function caddy(
  directory: string,
  env: Readonly<Record<string, string>>,
  file = deployedPath('Caddyfile'),
): Program {
  const args = ['run', '--config', file, '--adapter', 'caddyfile'];
  const nodes = { NODE_A: '127.0.0.1:9201', NODE_B: '127.0.0.1:9202' };
  const folders = { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory };
  return new Program('caddy', args, { env: { ...nodes, ...folders, ...env } });
}

export const CADDY: ProxySetup = {
  name: 'Caddy',
  file: 'Caddyfile',
  nodePorts: [9201, 9202],
  skipsDrainingNodes: false,
  idleTimeout: undefined,
  tlsProtocol: 'h2',
  start: () =>
    startPrograms({ port: 8280, tlsPort: 8643 }, async (directory) => {
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
    startPrograms({ port: 8279, tlsPort: undefined }, async (directory) => {
      const file = await changedCopy('Caddyfile', directory, change);
      return [caddy(directory, { ADDRESS: ':8279' }, file)];
    }),
};
