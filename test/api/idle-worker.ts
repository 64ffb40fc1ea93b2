/** A cluster worker that does nothing until it is killed. */
process.stdin.resume();
