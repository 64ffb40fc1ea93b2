/** CPU profile of this process: the functions with the most self time. */
import { Session, type Profiler } from 'node:inspector/promises';

export interface SelfTime {
  readonly location: string;
  /** Share of all samples in which the process was not idle. */
  readonly share: number;
}

const MAX_FUNCTIONS = 15;
const session = new Session();

export async function startProfile(): Promise<true> {
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  return true;
}

function locationOf({ callFrame }: Profiler.ProfileNode): string {
  const file = callFrame.url.replace(/^.*\/(?=(?:dist|node_modules|bench)\/)/, '');
  const name = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName;
  return file === '' ? name : `${name} ${file}:${callFrame.lineNumber + 1}`;
}

export async function stopProfile(): Promise<readonly SelfTime[]> {
  const { profile } = await session.post('Profiler.stop');
  const samples = new Map<string, number>();
  for (const node of profile.nodes) {
    const location = locationOf(node);
    if (location !== '(idle)' && location !== '(root)')
      samples.set(location, (samples.get(location) ?? 0) + (node.hitCount ?? 0));
  }
  const all = [...samples.values()].reduce((sum, count) => sum + count, 0);
  return [...samples]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, MAX_FUNCTIONS)
    .map(([location, count]) => ({ location, share: count / all }));
}
