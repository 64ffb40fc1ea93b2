/** Loads that are measured in turn, so that other work of the machine affects all of them. */
import { SOCKJS } from '../load/dialects.ts';
import { HTTP1 } from '../load/http.ts';
import { type Actor, type MeasuredServer, type Measurement, repeat } from '../load/measure.ts';
import { median } from '../results.ts';

export interface Contender {
  readonly server: MeasuredServer;
  readonly actors: readonly Actor[];
  /** Messages of one lap. Default: 1 */
  readonly units?: number;
}

/** Short windows, so that no connection is idle for the 5 s after which a server closes it. */
export interface Windows {
  /** Length of a window in milliseconds. */
  readonly length: number;
  readonly warmUps: number;
  /** Number of measured windows. */
  readonly count: number;
}

/** Measures all contenders once in each window. */
export async function alternate(
  contenders: readonly Contender[],
  { length, warmUps, count }: Windows,
): Promise<Measurement[][]> {
  const results = contenders.map((): Measurement[] => []);
  const scale = { warm: 0, measured: length, idleShare: 1, idleHeartbeat: 0 };
  for (let window = -warmUps; window < count; window += 1) {
    for (const [index, { server, actors, units = 1 }] of contenders.entries()) {
      const conditions = { server, dialect: SOCKJS, wire: HTTP1, scale, profiled: false };
      const measurement = await repeat(conditions, actors, units);
      if (window >= 0) results[index]?.push(measurement);
    }
  }
  return results;
}

/** A ratio of medians, with the smallest and the largest ratio of one window. */
export interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Compares two loads window by window. */
export function compare(
  measured: readonly Measurement[],
  base: readonly Measurement[],
  pick: (measurement: Measurement) => number = ({ cost }) => cost,
): Ratio {
  const ratios = measured.map((measurement, window) => {
    const other = base[window];
    return other === undefined ? Number.NaN : pick(measurement) / pick(other);
  });
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}
