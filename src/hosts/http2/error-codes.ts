/** Error codes of RFC 9113, section 7. The module `node:http2` is not loaded for them: most programs do not use it. */
export const NO_ERROR = 0;
export const REFUSED_STREAM = 7;
export const CANCEL = 8;
export const ENHANCE_YOUR_CALM = 11;
