/** The size of the browser client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_CLIENT_BYTES, clientSizes, formatSizes } from '../../scripts/client-size.ts';

test(`the client with all transports takes at most ${MAX_CLIENT_BYTES} bytes, and unused transports none`, async (t) => {
  const sizes = await clientSizes();
  t.diagnostic(formatSizes(sizes));
  const [all, core, ...shares] = sizes.map(({ gzip }) => gzip);
  assert.ok(all !== undefined && core !== undefined && shares.length === 4);
  assert.ok(all <= MAX_CLIENT_BYTES, `${all} bytes`);
  assert.ok(shares.every((share) => share > 0));
  assert.ok(core < all - 300, `the core has ${core} bytes`);
});
