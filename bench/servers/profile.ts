/** Where this process spends its time between two moments: the functions with the most time of their own. */
import { Session, type Profiler } from 'node:inspector/promises';

export interface SelfTime {
  readonly place: string;
  /** Of all samples in which the process was not idle. */
  readonly share: number;
}

const LONGEST_LIST = 15;
const session = new Session();

export async function startProfile(): Promise<true> {
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  return true;
}

function placeOf({ callFrame }: Profiler.ProfileNode): string {
  const file = callFrame.url.replace(/^.*\/(?=(?:dist|node_modules|bench)\/)/, '');
  const name = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName;
  return file === '' ? name : `${name} ${file}:${callFrame.lineNumber + 1}`;
}

export async function stopProfile(): Promise<readonly SelfTime[]> {
  const { profile } = await session.post('Profiler.stop');
  const hits = new Map<string, number>();
  for (const node of profile.nodes) {
    const place = placeOf(node);
    if (place !== '(idle)' && place !== '(root)')
      hits.set(place, (hits.get(place) ?? 0) + (node.hitCount ?? 0));
  }
  const all = [...hits.values()].reduce((sum, count) => sum + count, 0);
  return [...hits]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, LONGEST_LIST)
    .map(([place, count]) => ({ place, share: count / all }));
}
