/** Runs a program in whichever module format it has: its path is the argument. */
const { pathToFileURL } = require('node:url');

void import(pathToFileURL(process.argv[2]).href)
  .then(({ exercise }) => exercise())
  .then(() => process.stdout.write('ok\n'));
