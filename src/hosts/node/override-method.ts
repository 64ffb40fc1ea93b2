/** Calls the method that was replaced. */
export type CallOriginal = (args: readonly unknown[]) => unknown;

/** A method of one object that is replaced. */
export interface MethodOverride {
  readonly callOriginal: CallOriginal;
  /** Restores the method. If other code has replaced it since, all calls are passed on instead. */
  restore(): void;
}

/** Replaces a method of an object. */
export function overrideMethod(
  owner: object,
  name: string,
  replacement: (args: readonly unknown[], callOriginal: CallOriginal) => unknown,
): MethodOverride {
  const wasInherited = !Object.hasOwn(owner, name);
  const replaced: unknown = Reflect.get(owner, name);
  const callOriginal: CallOriginal = (args) => {
    // Other code may replace the method of the prototype later.
    const original: unknown = wasInherited
      ? Reflect.get(Reflect.getPrototypeOf(owner) ?? {}, name)
      : replaced;
    return typeof original === 'function' ? Reflect.apply(original, owner, args) : undefined;
  };
  let isActive = true;
  const method = (...args: readonly unknown[]): unknown =>
    isActive ? replacement(args, callOriginal) : callOriginal(args);
  Reflect.set(owner, name, method);
  return {
    callOriginal,
    restore() {
      isActive = false;
      if (Reflect.get(owner, name) !== method) return;
      if (wasInherited) Reflect.deleteProperty(owner, name);
      else Reflect.set(owner, name, replaced);
    },
  };
}
