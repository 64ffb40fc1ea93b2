import { connectPage } from './connect.js';
import { addLine } from './log.js';

const log = document.querySelector('#log');
const text = document.querySelector('#text');

let socket;
/** Send times of the pending messages. Echoes arrive in order. */
let sentAt = [];

connectPage('/echo', (created) => {
  socket = created;
  socket.addEventListener('open', () => (sentAt = []));
  socket.addEventListener('message', ({ data }) => {
    const took = performance.now() - sentAt.shift();
    addLine(log, `${data} (${took.toFixed(1)} ms)`, { from: '←' });
  });
});

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  addLine(log, text.value, { from: '→' });
  sentAt.push(performance.now());
  socket.send(text.value);
  text.value = '';
});
