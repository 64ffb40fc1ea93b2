import type { ClusterEvent } from './cluster-log.ts';
import type { HistoryResult } from './simulation.ts';

/** Returns a line of a log. */
export function formatEvent(event: ClusterEvent): string {
  const parts: string[] = [event.at.toFixed(0).padStart(6)];
  switch (event.source) {
    case 'client':
      parts.push(`client of attempt ${event.attempt}`, formatDetails(event.event));
      break;
    case 'session':
      parts.push(`session ${event.session} of attempt ${event.attempt} on ${event.node}`);
      parts.push(formatDetails(event.event));
      break;
    case 'topic':
      parts.push(`${event.node}, topic ${event.topic ?? '(all)'}`, formatDetails(event.event));
      break;
    case 'presence':
      parts.push(`${event.node}, topic ${event.topic}`, event.event, event.members.join(', '));
      break;
    case 'leftover':
    case 'node':
      parts.push(event.node, event.event);
      break;
    case 'engine':
    case 'end':
      parts.push(event.source, event.event);
      break;
  }
  return parts.join('  ');
}

function formatDetails({ type, ...details }: { readonly type: string }): string {
  const values = Object.values(details).map((value) =>
    typeof value === 'string' ? value : JSON.stringify(value),
  );
  return [type, ...values].join(' ');
}

/** Returns the violations of a history, each with the events that show it. */
export function formatViolations({ seed, violations }: HistoryResult): string {
  return violations
    .map(({ rule, events }) => [`seed ${seed}: ${rule}`, ...events.map(formatEvent)].join('\n'))
    .join('\n\n');
}
