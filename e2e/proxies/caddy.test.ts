/** deploy/Caddyfile, unchanged. */
import { testBehind } from './contract.ts';
import { CADDY } from './proxies.ts';

testBehind(CADDY);
