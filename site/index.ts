/** `npm run site`: writes the site into `site/dist/`. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSite } from './build.ts';

const folder = fileURLToPath(new URL('dist', import.meta.url));
await buildSite(folder);
console.log(`Open ${relative(process.cwd(), folder)}/index.html in a browser.`);
