/** Checks of the options of a function. */
import { closestName } from './closest-name.ts';
import { describeValue } from './describe-value.ts';
import { SockJSError } from './errors.ts';
import type { Rule } from './setting-rules.ts';

/** Rule of each option by its name. */
export type OptionRules = Readonly<Record<string, Rule<unknown>>>;

/**
 * Checks names and values. An undefined option counts as missing.
 * @param owner function with these options, for messages
 * @param aliases names that other libraries use, in lower case without `_` and `-`
 * @throws SockJSError `ERR_SETTING` for an unknown name or an invalid value
 */
export function checkOptions(
  owner: string,
  options: unknown,
  rules: OptionRules,
  aliases: Readonly<Record<string, string>> = {},
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const text = `The options of ${owner} must be an object, not ${describeValue(options)}.`;
    throw new SockJSError('ERR_SETTING', text);
  }
  const names = Object.keys(rules);
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) {
      const meant = closestName(name, names, aliases);
      const hint = meant === undefined ? '' : ` Did you mean '${meant}'?`;
      const text = `${owner} has no option '${name}'.${hint} Use one of these names: ${names.join(', ')}.`;
      throw new SockJSError('ERR_SETTING', text);
    }
    if (value === undefined || rule.isValid(value)) continue;
    const text = `${name} of ${owner} must be ${rule.expected}, not ${describeValue(value)}.`;
    throw new SockJSError('ERR_SETTING', text);
  }
}
