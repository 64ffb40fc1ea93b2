/**
 * Cleanup at the end of a test. `TestContext` of `node:test` is a scope, and so are `{ after }` with the `after`
 * of `node:test`, `{ after: afterAll }` in Jest and `{ after: onTestFinished }` in Vitest. An `after` that
 * `node:test` registers within a `before` hook runs at the end of that hook.
 */
export interface TestScope {
  after(cleanup: () => void | Promise<void>): void;
}
