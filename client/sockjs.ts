/** The class `SockJS` as default and named export. `scripts/build.ts` writes the CommonJS form of this entry. */
export { SockJS, SockJS as default } from './sockjs-class.ts';
export type { SockJSOptions } from './sockjs-class.ts';
