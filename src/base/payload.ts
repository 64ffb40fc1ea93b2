/**
 * Data to send: text, or its bytes in UTF-8. Long text is passed as bytes, which all receivers of a broadcast share, so
 * that it is encoded once and is in memory once. The bytes never change.
 */
export type Payload = string | Buffer;
