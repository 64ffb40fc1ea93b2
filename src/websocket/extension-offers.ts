/** Negotiates permessage-deflate: RFC 6455, section 9.1, and RFC 7692, section 7.1. */

type Parameter = readonly [name: string, value: string | undefined];

/** Offer of an extension by a client. */
export interface ExtensionOffer {
  readonly name: string;
  readonly parameters: readonly Parameter[];
}

/** Length up to which a header is read. Browsers send 46 characters. */
const MAX_HEADER_LENGTH = 1024;

const SEPARATORS = /[\t ,]*/y;
/** The name of an extension or a parameter, its value, and the separator. It takes linear time. */
const ITEM =
  /[\t ]*([!#$%&'*+\-.^`|~\w]+)[\t ]*(?:=[\t ]*(?:([!#$%&'*+\-.^`|~\w]+)|"((?:[^"\\]|\\.)*)")[\t ]*)?([,;]|$)/y;

/**
 * Parses `Sec-WebSocket-Extensions`. A header over 1024 characters is read as one without offers.
 * @returns undefined if the header is malformed, so that the handshake fails
 */
export function readExtensionOffers(header: string): readonly ExtensionOffer[] | undefined {
  if (header.length > MAX_HEADER_LENGTH) return [];
  const offers: ExtensionOffer[] = [];
  let parameters: Parameter[] | undefined;
  let at = 0;
  for (;;) {
    if (parameters === undefined) {
      SEPARATORS.lastIndex = at;
      SEPARATORS.exec(header);
      at = SEPARATORS.lastIndex;
      if (at === header.length) return offers;
    }
    ITEM.lastIndex = at;
    const [, name, token, quoted, separator] = ITEM.exec(header) ?? [];
    if (name === undefined) return undefined;
    at = ITEM.lastIndex;
    const value = token ?? quoted?.replaceAll(/\\(.)/g, '$1');
    if (parameters !== undefined) parameters.push([name, value]);
    else if (value === undefined) offers.push({ name, parameters: (parameters = []) });
    else return undefined;
    if (separator !== ';') parameters = undefined;
  }
}

const MAX_WINDOW_BITS = '15';
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/**
 * Returns whether the server can keep to a parameter. Each frame is compressed once for all clients, with a window of up to
 * 15 bits, so an offer that demands a smaller window is declined. Inflating is possible with every window of a client.
 */
function isAcceptable([name, value]: Parameter): boolean {
  switch (name) {
    case 'server_no_context_takeover':
    case 'client_no_context_takeover':
      return value === undefined;
    case 'server_max_window_bits':
      return value === MAX_WINDOW_BITS;
    case 'client_max_window_bits':
      return value === undefined || WINDOW_BITS.test(value);
    default:
      return false;
  }
}

/**
 * Accepts the first offer of permessage-deflate whose parameters are all acceptable and different.
 * @returns the value of `Sec-WebSocket-Extensions` in the response, or undefined without an acceptable offer
 */
export function acceptDeflate(offers: readonly ExtensionOffer[]): string | undefined {
  for (const { name, parameters } of offers) {
    const names = new Set(parameters.map(([parameter]) => parameter));
    if (name !== 'permessage-deflate' || names.size < parameters.length) continue;
    if (!parameters.every(isAcceptable)) continue;
    // The response has to confirm a window that the client has demanded.
    const window = names.has('server_max_window_bits')
      ? `; server_max_window_bits=${MAX_WINDOW_BITS}`
      : '';
    return `permessage-deflate; server_no_context_takeover; client_no_context_takeover${window}`;
  }
  return undefined;
}
