import type { Rule } from '../base/setting-rules.ts';

/** One setting: the rule for its values, and its default. */
export interface Setting<Value> {
  readonly rule: Rule<unknown>;
  readonly defaultValue: Value;
  /** Description of a default that the documentation cannot show as a value. */
  readonly defaultText?: string;
}

export function setting<Value>(
  rule: Rule<Value>,
  defaultValue: NoInfer<Value>,
  defaultText?: string,
): Setting<Value> {
  return defaultText === undefined ? { rule, defaultValue } : { rule, defaultValue, defaultText };
}

/** A setting without a default. */
export function optional<Value>(
  rule: Rule<Value>,
  defaultText?: string,
): Setting<Value | undefined> {
  return setting<Value | undefined>(rule, undefined, defaultText);
}
