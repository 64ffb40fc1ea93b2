import { connect } from './connect.js';
import { addLine } from './log.js';

const log = document.querySelector('#log');
const text = document.querySelector('#text');

let sockjs;
/** Send times of the pending messages. Echoes arrive in order. */
let sentAt = [];

connect('/echo', (connection) => {
  sockjs = connection;
  sentAt = [];
  connection.addEventListener('message', ({ data }) => {
    const took = performance.now() - sentAt.shift();
    addLine(log, `${data} (${took.toFixed(1)} ms)`, { from: '←' });
  });
});

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  addLine(log, text.value, { from: '→' });
  sentAt.push(performance.now());
  sockjs.send(text.value);
  text.value = '';
});
