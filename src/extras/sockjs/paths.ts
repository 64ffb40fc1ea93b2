/** Paths below a prefix that is a regular expression, as those of npm `sockjs`. */
import { splitTarget } from '../../http/prefix.ts';

const SESSION_PATHS =
  '/[^/.]+/[^/.]+/(?:websocket|xhr|xhr_send|xhr_streaming|eventsource|htmlfile|jsonp|jsonp_send)';
const TOP_PATHS = String.raw`|/iframe[0-9\-.a-z_]*\.html|/info|/websocket`;

/** A path to which no route belongs. */
const UNKNOWN = '/-';

export class Paths {
  readonly #own: RegExp;
  readonly #known: RegExp;

  /** @throws SyntaxError if the prefix is not a regular expression */
  constructor(prefix: string) {
    this.#own = new RegExp(`^${prefix}([/].+|[/]?)$`);
    this.#known = new RegExp(`^${prefix}(?<path>${TOP_PATHS}|${SESSION_PATHS})[/]?$`);
  }

  /**
   * Finds the path of a URL below the prefix, without a slash at its end.
   * @returns undefined if the URL is not below the prefix
   */
  find(url: string): string | undefined {
    if (!this.#own.test(url)) return undefined;
    return this.#known.exec(splitTarget(url).path)?.groups?.['path'] ?? UNKNOWN;
  }
}
