/**
 * Loads every entry of the package by `import` and by `require`, and prints the names that both provide as
 * JSON. The arguments are the entries.
 */
import { strictEqual } from 'node:assert';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const names = {};
for (const entry of process.argv.slice(2)) {
  // The namespace of a CommonJS module has these names in addition to those that Node's lexer finds.
  const {
    default: whole,
    'module.exports': _whole,
    __esModule: _mark,
    ...found
  } = await import(entry);
  const required = require(entry);
  strictEqual(whole, required, `${entry} is loaded once`);
  for (const [name, value] of Object.entries(found)) strictEqual(value, required[name], name);
  // The constants of an entry that is a class itself are exports too.
  const isClass = typeof whole === 'function';
  names[entry] = Object.keys(found)
    .filter((name) => !isClass || typeof found[name] === 'function')
    .toSorted();
}
process.stdout.write(JSON.stringify(names));
