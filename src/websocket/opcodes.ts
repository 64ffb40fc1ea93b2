/** Numbers of the wire format: RFC 6455, section 5.2. */

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Bits of the first byte. */
export const FINAL_BIT = 0x80;
export const RESERVED_BITS = 0x70;
/** RSV1: RFC 7692, section 6. */
export const COMPRESSED_BIT = 0x40;
export const OPCODE_BITS = 0x0f;
/** Set in the opcodes of all control frames. */
export const CONTROL_BIT = 0x08;

/** Bits of the second byte. */
export const MASKED_BIT = 0x80;
export const LENGTH_BITS = 0x7f;
/** Values of the length bits that announce a longer length field. */
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;

/** RFC 6455, section 5.5. */
export const MAX_CONTROL_BYTES = 125;
/** Reported for a close frame without a code: RFC 6455, section 7.4.1. */
export const NO_STATUS = 1005;
