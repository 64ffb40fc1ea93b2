/** Runs a program of either module format. The argument is its path. */
const { pathToFileURL } = require('node:url');

void import(pathToFileURL(process.argv[2]).href)
  .then(({ exercise }) => exercise())
  .then(() => process.stdout.write('ok\n'));
