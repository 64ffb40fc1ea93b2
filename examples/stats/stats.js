import { connectPage } from './connect.js';
import uPlot from './uplot.js';

/** Seconds on the x axis. */
const SPAN = 120;
const HEIGHT = 220;

/** Formats a count, which is a whole number. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000];

/** Counters and their labels, by plot. */
const PLOTS = [
  {
    title: 'Messages per second',
    counters: { packetsSentPs: 'to clients', packetsRecvPs: 'from clients' },
  },
  {
    title: 'New per second',
    counters: { connectionsPs: 'requests and WebSockets' },
  },
  {
    title: 'Open now',
    whole: true,
    counters: { sessionsActive: 'sessions', connectionsActive: 'waiting receivers' },
  },
  {
    title: 'Sessions by transport',
    whole: true,
    counters: {
      transpWebsocket: 'websocket',
      transpRawwebsocket: 'raw websocket',
      transpXhrStreaming: 'xhr-streaming',
      transpEventsource: 'eventsource',
      transpHtmlfile: 'htmlfile',
      transpXhr: 'xhr-polling',
      transpJsonp: 'jsonp-polling',
    },
  },
];

let readings = [];

function sum({ routers }, counter) {
  const total = Object.values(routers).reduce((part, counters) => part + counters[counter], 0);
  return Number(total.toFixed(1));
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

// Functions, so that a redraw is enough after a change between light and dark.
const quiet = () => colour('--quiet');
const faint = () => colour('--faint');

const AXIS = {
  stroke: quiet,
  grid: { stroke: faint, width: 1 },
  ticks: { stroke: faint, width: 1 },
};

function clock(_plot, times) {
  return times.map((time) => new Date(time * 1000).toTimeString().slice(0, 8));
}

function lines(counters) {
  return Object.values(counters).map((label, index) => ({
    label,
    stroke: () => colour(`--plot-${index + 1}`),
    width: 2,
    // Keeps lines visible that lie on each other.
    dash: index % 2 === 1 ? [6, 6] : [],
    points: { show: false },
    // Values below the pointer, or the latest ones without a pointer.
    value: (plot, value, series) => value ?? plot.data[series].at(-1) ?? '–',
  }));
}

class Plot {
  #counters;
  #uplot;

  constructor(figure, { counters, whole = false }) {
    this.#counters = counters;
    const options = {
      width: figure.clientWidth,
      height: HEIGHT,
      scales: {
        x: { range: () => [Date.now() / 1000 - SPAN, Date.now() / 1000] },
        y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] },
      },
      series: [
        { label: 'time', value: (_plot, time) => (time === null ? '–' : clock(_plot, [time])[0]) },
        ...lines(counters),
      ],
      axes: [{ ...AXIS, space: 80, values: clock }, whole ? { ...AXIS, incrs: WHOLE } : AXIS],
    };
    this.#uplot = new uPlot(options, this.#data(), figure);
    new ResizeObserver(() => {
      this.#uplot.setSize({ width: figure.clientWidth, height: HEIGHT });
    }).observe(figure);
  }

  update() {
    this.#uplot.setData(this.#data());
  }

  redraw() {
    this.#uplot.redraw();
  }

  #data() {
    const times = readings.map(({ time }) => time / 1000);
    const series = Object.keys(this.#counters).map((counter) =>
      readings.map((reading) => sum(reading, counter)),
    );
    return [times, ...series];
  }
}

function addFigure({ title }) {
  const figure = document.createElement('figure');
  const caption = document.createElement('figcaption');
  caption.textContent = title;
  figure.append(caption);
  document.querySelector('#plots').append(figure);
  return figure;
}

// Created first, because the width of each plot depends on the others.
const figures = PLOTS.map(addFigure);
const plots = PLOTS.map((plot, index) => new Plot(figures[index], plot));

function row(...cells) {
  const created = document.createElement('tr');
  created.append(...cells);
  return created;
}

function cell(name, text, properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...properties });
}

function group({ title, counters }, routers) {
  const body = document.createElement('tbody');
  const span = routers.length + 1;
  body.append(row(cell('th', title, { scope: 'rowgroup', colSpan: span })));
  for (const [counter, label] of Object.entries(counters)) {
    const values = routers.map((dump) => cell('td', dump[counter]));
    body.append(row(cell('th', label, { scope: 'row' }), ...values));
  }
  return body;
}

function showTable({ routers }) {
  const table = document.querySelector('#counters');
  const names = Object.keys(routers).map((name) => cell('th', name, { scope: 'col' }));
  table.tHead.replaceChildren(row(cell('th', 'Router', { scope: 'col' }), ...names));
  const groups = PLOTS.map((plot) => group(plot, Object.values(routers)));
  table.replaceChildren(table.caption, table.tHead, ...groups);
}

function stateOf({ draining, address }) {
  if (address === undefined) return 'incompatible version';
  return draining ? 'draining' : 'open';
}

/** Shows the nodes of a cluster, if there is one. */
function showNodes({ cluster }) {
  if (cluster === undefined) return;
  const { id: self, nodes, stats } = cluster;
  document.querySelector('#cluster').hidden = false;
  const table = document.querySelector('#nodes');
  const names = ['Node', 'relay listener', 'state', 'prefixes'];
  table.tHead.replaceChildren(row(...names.map((name) => cell('th', name, { scope: 'col' }))));
  const rows = nodes.map((node) => {
    const { id, address, prefixes } = node;
    const listener = address === undefined ? '–' : `${address.host} ${address.port}`;
    const name = id === self ? `${id} (this node)` : id;
    const cells = [listener, stateOf(node), prefixes.join(' ')].map((text) => cell('td', text));
    return row(cell('th', name, { scope: 'row' }), ...cells);
  });
  table.tBodies[0].replaceChildren(...rows);
  document.querySelector('#cluster-stats').textContent =
    `This node: ${stats.claims} claimed sessions, ${stats.relayedIn} requests relayed in, ` +
    `${stats.relayedOut} relayed out, backplane ${stats.backplaneUp ? 'up' : 'down'}.`;
}

connectPage('/stats', (socket) => {
  let isFirst;
  socket.addEventListener('open', () => (isFirst = true));
  socket.addEventListener('message', ({ data }) => {
    const news = JSON.parse(data);
    readings = isFirst ? news : [...readings, ...news].slice(-SPAN);
    isFirst = false;
    for (const plot of plots) plot.update();
    showTable(readings.at(-1));
    showNodes(readings.at(-1));
  });
});

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const plot of plots) plot.redraw();
});
