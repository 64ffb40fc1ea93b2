/** Messages of a group between nodes. The first character of a message is its kind. */
import { checkCloseArguments } from '../base/close-arguments.ts';
import type { CloseStatus } from '../base/close-reasons.ts';

/** Presence of members by their id, as JSON. It is null for a member that has left. */
export type PresenceChanges = readonly (readonly [id: string, presence: string | null])[];

export type GroupMessage =
  | { readonly kind: 'broadcast'; readonly text: string }
  | { readonly kind: 'close'; readonly status: CloseStatus }
  | { readonly kind: 'presence'; readonly changes: PresenceChanges }
  /** The presence has to be read again. */
  | { readonly kind: 'refresh' };

const BROADCAST = 'b';
const CLOSE = 'c';
const PRESENCE = 'p';
const REFRESH = 'r';

export function formatBroadcast(text: string): string {
  return BROADCAST + text;
}

export function formatClose({ code, reason }: CloseStatus): string {
  return CLOSE + JSON.stringify([code, reason]);
}

export function formatPresence(changes: PresenceChanges): string {
  return PRESENCE + JSON.stringify(changes);
}

export function formatRefresh(): string {
  return REFRESH;
}

/** Returns undefined if the text is not the JSON of an array. */
function parseArray(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isChange(value: unknown): value is PresenceChanges[number] {
  if (!Array.isArray(value)) return false;
  const [id, presence] = value.map((item: unknown) => item);
  return typeof id === 'string' && (typeof presence === 'string' || presence === null);
}

/** Returns undefined for a status that no close frame can carry. */
function parseStatus([code, reason]: readonly unknown[]): CloseStatus | undefined {
  if (typeof code !== 'number' || typeof reason !== 'string') return undefined;
  try {
    checkCloseArguments(code, reason);
    return { code, reason };
  } catch {
    return undefined;
  }
}

/** Parses a message. Returns undefined for one of another version of the package, and for a malformed one. */
export function parseGroupMessage(data: string): GroupMessage | undefined {
  const content = data.slice(1);
  if (data.startsWith(BROADCAST)) return { kind: 'broadcast', text: content };
  if (data === REFRESH) return { kind: 'refresh' };
  const value = parseArray(content);
  if (value === undefined) return undefined;
  if (data.startsWith(PRESENCE) && value.every(isChange))
    return { kind: 'presence', changes: value };
  const status = data.startsWith(CLOSE) ? parseStatus(value) : undefined;
  return status && { kind: 'close', status };
}
