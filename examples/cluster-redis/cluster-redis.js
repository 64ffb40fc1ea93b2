import { connect } from './connect.js';
import { addLine } from './log.js';

const log = document.querySelector('#log');
const clients = document.querySelector('#clients');
const text = document.querySelector('#text');

let sockjs;

const show = {
  request({ node, session, transport }) {
    addLine(log, `serves ${transport} of session ${session}`, { from: `Node ${node}` });
  },
  clients({ nodes, clients: all }) {
    const places = all.map(({ presence }) => `${presence.transport} on node ${presence.node}`);
    clients.textContent = `${nodes} nodes. Sessions: ${places.join(', ') || 'none'}`;
  },
};

/** Receives the requests of all nodes, over a connection of its own. */
function watch() {
  const pages = new window.SockJS('/pages', null, { transports: ['websocket'] });
  pages.addEventListener('message', ({ data }) => {
    const event = JSON.parse(data);
    show[event.type](event);
  });
  pages.addEventListener('close', () => setTimeout(watch, 1000));
}

watch();
connect('/echo', (connection) => {
  sockjs = connection;
  connection.addEventListener('message', ({ data }) => addLine(log, data, { from: '←' }));
});

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  addLine(log, text.value, { from: '→' });
  sockjs.send(text.value);
  text.value = '';
});
