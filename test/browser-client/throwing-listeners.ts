/** A client whose callbacks throw. It reports to its parent process. The argument is the URL of an echo service. */
import { connect } from '../../client/index.ts';

const errors: string[] = [];
const onError = (error: Error): void => void errors.push(error.message);
process.on('uncaughtException', onError).on('unhandledRejection', onError);

const socket = connect(process.argv[2] ?? '', {
  shouldReconnect: () => {
    throw new Error('of shouldReconnect');
  },
});
socket.addEventListener('message', ({ data }) => {
  if (data === 'two') process.send?.(data);
});
socket.onmessage = () => {
  throw new Error('of the listener');
};
socket.onclose = ({ code }) => {
  // After the errors have been reported.
  setTimeout(() => process.send?.({ code, errors }), 50);
};
socket.send('one');
socket.send('two');
