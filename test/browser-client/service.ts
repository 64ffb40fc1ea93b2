/** An echo service that can be killed and restarted on its port, and that records its requests. */
import { type MeasuredService, Site } from '../../e2e/browsers/servers.ts';
import type { SockJSSettings } from '../../src/index.ts';
import type { TestScope } from '../../testkit/scope.ts';

export class Service {
  readonly site = new Site();

  get url(): string {
    return `${this.site.origin}/echo`;
  }

  get port(): number {
    return Number(new URL(this.site.origin).port);
  }

  /** Record since the last start. */
  get record(): MeasuredService {
    return this.site.service('/echo');
  }

  /** Last parts of the paths of all requests since the last start. */
  get leaves(): string[] {
    return this.record.requests.map((path) => path.replace(/\?.*/, '').split('/').at(-1) ?? '');
  }

  restart(settings: SockJSSettings = {}): Promise<void> {
    this.site.provide(new Map([['/echo', { heartbeatDelay: 25_000, ...settings }]]));
    return this.site.start();
  }

  /** Resets all connections, as the end of a process does. */
  kill(): Promise<void> {
    return this.site.kill();
  }
}

/** Starts a service that is killed at the end of the test. The message `close` closes with 4321. */
export async function startService(scope: TestScope, settings?: SockJSSettings): Promise<Service> {
  const service = new Service();
  await service.restart(settings);
  scope.after(() => service.kill());
  return service;
}
