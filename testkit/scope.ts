/**
 * Cleanup at the end of a test. `TestContext` of `node:test` is a scope, and so is `{ after }` with the
 * `after` of `node:test`, `{ after: afterAll }` in Jest and `{ after: onTestFinished }` in Vitest.
 */
export interface TestScope {
  after(cleanup: () => void | Promise<void>): void;
}
