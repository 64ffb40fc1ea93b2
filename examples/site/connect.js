/**
 * The bar at the top of every example: the choice of the transport, the transport in use, connect and disconnect.
 * The address of the page contains the choice (`?transport=xhr-polling`), so that it can be shared.
 */
const AUTOMATIC = 'automatic';
const TRANSPORTS = [
  AUTOMATIC,
  'websocket',
  'xhr-streaming',
  'eventsource',
  'iframe-eventsource',
  'htmlfile',
  'iframe-htmlfile',
  'xhr-polling',
  'iframe-xhr-polling',
  'jsonp-polling',
];

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
 * Connects at once, and again on each click on Connect. Every `fieldset.when-connected` of the page is enabled only
 * while a connection is open.
 * @param {string} prefix of the router
 * @param {(sockjs: WebSocket) => void} use sets `onopen`, `onmessage` and `onclose` of each new connection before it
 *   opens
 */
export function connect(prefix, use) {
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
    const sockjs = new window.SockJS(
      prefix,
      null,
      transport === AUTOMATIC ? {} : { transports: [transport] },
    );
    const before = current;
    current = sockjs;
    before?.close();
    show('connecting', 'Connecting …');
    sockjs.addEventListener('open', () => {
      if (sockjs === current) show('open', `Connected by ${sockjs.transport}`);
    });
    sockjs.addEventListener('close', ({ code, reason }) => {
      if (sockjs === current) show('closed', `Not connected: ${reason || 'closed'} (${code})`);
    });
    use(sockjs);
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
