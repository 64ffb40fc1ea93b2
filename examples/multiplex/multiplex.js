import { connectPage } from './connect.js';
import { addLine } from './log.js';
import { MultiplexClient } from './multiplex-client.js';

/** One channel and its part of the page. */
class Pane {
  #name;
  #log;
  #toggle;
  #form;
  #client;
  #channel;

  constructor(section) {
    this.#name = section.dataset.channel;
    this.#log = section.querySelector('.log');
    this.#toggle = section.querySelector('.toggle');
    this.#form = section.querySelector('form');
    this.#toggle.addEventListener('click', () => {
      if (this.#channel === undefined) this.#join();
      else this.#channel.close();
    });
    this.#form?.addEventListener('submit', (event) => {
      event.preventDefault();
      const input = this.#form.querySelector('input');
      this.#channel.send(input.value);
      input.value = '';
    });
  }

  use(client) {
    this.#client = client;
    this.#join();
  }

  #join() {
    const channel = this.#client.channel(this.#name);
    channel.addEventListener('open', () => {
      this.#channel = channel;
      this.#show('Joined');
    });
    channel.addEventListener('message', ({ data }) => addLine(this.#log, data));
    channel.addEventListener('close', ({ code, reason }) => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.#show(`Left: ${reason || 'closed'} (${code})`);
    });
  }

  #show(notice) {
    const joined = this.#channel !== undefined;
    this.#toggle.textContent = joined ? 'Leave' : 'Join';
    const fieldset = this.#form?.querySelector('fieldset');
    if (fieldset !== undefined) fieldset.disabled = !joined;
    addLine(this.#log, notice, { kind: 'notice' });
  }
}

const panes = [...document.querySelectorAll('.channel')].map((section) => new Pane(section));

connectPage('/multiplex', (socket) => {
  const client = new MultiplexClient(socket);
  for (const pane of panes) pane.use(client);
});
