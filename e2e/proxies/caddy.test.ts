/** deploy/Caddyfile, as it is. */
import { provenBehind } from './contract.ts';
import { CADDY } from './proxies.ts';

provenBehind(CADDY);
