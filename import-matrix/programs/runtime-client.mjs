/**
 * The browser client in a runtime, for the probe in `runtimes.test.ts`. It connects to the service of the first
 * argument over the first transport of the others that opens, and prints what it received.
 */
/* oxlint-disable typescript/no-unsafe-argument, typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access -- plain JavaScript has no types */
import process from 'node:process';
import { connect } from 'sockjs-server/client';

const [, , url, ...transports] = process.argv;
const sent = Array.from({ length: 100 }, (_, index) => `message ${index} \u20ac`);
const received = [];

const socket = connect(url, { transports });
socket.onopen = () => {
  for (const message of sent) socket.send(message);
};
socket.onmessage = ({ data }) => {
  received.push(data);
  if (received.length === sent.length) socket.send('close');
};
socket.onclose = ({ code, reason }) => {
  const result = String(received) === String(sent) ? 'echo' : String(received);
  process.stdout.write(`${socket.transport} ${result} ${code} ${reason}\n`);
};
