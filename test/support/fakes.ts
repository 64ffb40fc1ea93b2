export { deferred } from '../../testkit/until.ts';
