import { connect } from './client.js';
import { connectPage } from './connect.js';
import { addLine } from './log.js';

const log = document.querySelector('#log');
const clients = document.querySelector('#clients');
const text = document.querySelector('#text');

let socket;

const show = {
  request({ node, session, transport }) {
    addLine(log, `serves ${transport} of session ${session}`, { from: `Node ${node}` });
  },
  clients({ nodes, clients: all }) {
    const places = all.map(({ presence }) => `${presence.transport} on node ${presence.node}`);
    clients.textContent = `${nodes} nodes. Sessions: ${places.join(', ') || 'none'}`;
  },
};

// Receives the requests of all nodes, over a separate connection.
const pages = connect('/pages', { transports: ['websocket'] });
pages.addEventListener('message', ({ data }) => {
  const event = JSON.parse(data);
  show[event.type](event);
});

connectPage('/echo', (created) => {
  socket = created;
  socket.addEventListener('message', ({ data }) => addLine(log, data, { from: '←' }));
});

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  addLine(log, text.value, { from: '→' });
  socket.send(text.value);
  text.value = '';
});
