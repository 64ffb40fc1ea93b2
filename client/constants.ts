/** Values of `readyState`, limits and times. A bundler inlines them, since this module imports nothing. */

export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;

/** Limit for a frame, in UTF-16 units. Servers send far less. */
export const MAX_FRAME_LENGTH = 64 * 1024 * 1024;
export const MAX_INFO_LENGTH = 64 * 1024;
export const MAX_REASON_BYTES = 123;

/** Time for `/info` and the function `token`. */
export const PREPARE_TIMEOUT_MS = 10_000;
/** Time for a transport to open, in round trips of `/info`. */
export const OPEN_ROUND_TRIPS = 4;
/** More time for the last transport, since `authorize` may be what takes long. */
export const LAST_TRANSPORT_MS = 10_000;
/** Time open after which the backoff starts again. Shorter sessions may be those of a server that closes at once. */
export const STABLE_MS = 2000;
/** Age of a message on a WebSocket at which a frame from the server shows that it has been delivered. */
export const CONFIRMED_AGE_MS = 1000;
/** Time after a sending request in which messages are gathered for the next one. */
export const SEND_PAUSE_MS = 25;
/** Time to send what is queued when the application closes. */
export const CLOSE_TIMEOUT_MS = 5000;
/** Checks for a frame in one heartbeat timeout. Several, since only one of them is due after a suspension. */
export const WATCHDOG_CHECKS = 4;
