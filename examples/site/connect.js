import { connect } from './client.js';

/**
 * The bar at the top of every example: the choice of the transport, the transport in use, connect and disconnect.
 * The address of the page contains the choice (`?transport=xhr-polling`), so that it can be shared.
 */
const AUTOMATIC = 'automatic';
const TRANSPORTS = [AUTOMATIC, 'websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'];

function element(name, properties, ...children) {
  const created = Object.assign(document.createElement(name), properties);
  created.append(...children);
  return created;
}

function chosenInAddress() {
  const name = new URLSearchParams(location.search).get('transport');
  return TRANSPORTS.includes(name) ? name : AUTOMATIC;
}

function keepInAddress(transport) {
  history.replaceState(null, '', transport === AUTOMATIC ? '?' : `?transport=${transport}`);
}

/**
 * Connects at once, and with a new socket after each choice or click on Connect. The client reconnects by itself. Every
 * `fieldset.when-connected` of the page is enabled only while the socket is open.
 * @param {string} prefix of the router
 * @param {(socket: import('sockjs-server/client').Socket) => void} use adds listeners to each new socket
 */
export function connectPage(prefix, use) {
  const select = element('select', {}, ...TRANSPORTS.map((name) => new Option(name)));
  const button = element('button', { type: 'submit' });
  const status = element('output', { className: 'status' });
  const form = document.querySelector('#connection');
  form.append(element('label', {}, 'Transport ', select), button, status);

  let current;

  function show(state, text) {
    form.dataset.state = state;
    status.textContent = text;
    button.textContent = state === 'closed' ? 'Connect' : 'Disconnect';
    for (const fieldset of document.querySelectorAll('fieldset.when-connected'))
      fieldset.disabled = state !== 'open';
  }

  function open() {
    const transport = select.value;
    const socket = connect(prefix, transport === AUTOMATIC ? {} : { transports: [transport] });
    const before = current;
    current = socket;
    before?.close();
    show('connecting', 'Connecting …');
    socket.addEventListener('open', () => {
      if (socket === current) show('open', `Connected by ${socket.transport}`);
    });
    socket.addEventListener('reconnecting', ({ code, reason }) => {
      if (socket === current) show('connecting', `Reconnecting: ${reason || 'lost'} (${code}) …`);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (socket === current) show('closed', `Not connected: ${reason || 'closed'} (${code})`);
    });
    use(socket);
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (form.dataset.state === 'closed') open();
    else current.close();
  });
  select.addEventListener('change', () => {
    keepInAddress(select.value);
    open();
  });

  select.value = chosenInAddress();
  open();
}
