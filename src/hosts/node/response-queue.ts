/** Limit for the responses of a connection that are queued behind others. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const MAX_QUEUED_RESPONSES = 100;
/** Number of headers with which a request counts once more, since it stays in memory with its response. */
const HEADERS_PER_COUNT = 20;

const queuedResponses = new WeakMap<Socket, number>();

/**
 * Counts a response that starts. A client may pipeline more than a thousand requests in one packet, and read none of the
 * responses. Node queues all of them.
 * @returns false if too many responses are queued
 */
export function countResponse(
  { socket, rawHeaders }: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (response.socket !== null) return true; // Its turn has come.
  const count = 1 + Math.floor(rawHeaders.length / 2 / HEADERS_PER_COUNT);
  const addToCount = (change: number): number => {
    const total = (queuedResponses.get(socket) ?? 0) + change;
    queuedResponses.set(socket, total);
    return total;
  };
  response.once('socket', () => addToCount(-count));
  return addToCount(count) <= MAX_QUEUED_RESPONSES;
}
