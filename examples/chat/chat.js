import { connectPage } from './connect.js';
import { addLine } from './log.js';

const log = document.querySelector('#log');
const people = document.querySelector('#people');
const join = document.querySelector('#join');
const name = document.querySelector('#name');
const send = document.querySelector('#send');
const text = document.querySelector('#text');

let socket;
/** Name for joining again after a reconnect. */
let wanted;

function showPeople(names) {
  people.textContent = `In the room: ${names.join(', ')}`;
}

const show = {
  welcome(notice) {
    if (notice.name !== wanted) addLine(log, `You are ${notice.name}`, { kind: 'notice' });
    join.hidden = true;
    send.hidden = false;
    text.focus();
  },
  joined(notice) {
    addLine(log, `${notice.name} joined`, { kind: 'notice' });
    showPeople(notice.people);
  },
  left(notice) {
    addLine(log, `${notice.name} left`, { kind: 'notice' });
    showPeople(notice.people);
  },
  message(notice) {
    addLine(log, notice.text, { from: `${notice.name}:` });
  },
};

function leave() {
  if (people.textContent === '') return;
  people.textContent = '';
  addLine(log, 'You left', { kind: 'notice' });
}

connectPage('/chat', (created) => {
  socket = created;
  // Raised after each reconnect too.
  socket.addEventListener('open', () => {
    if (wanted !== undefined) created.send(wanted);
  });
  socket.addEventListener('message', ({ data }) => {
    const notice = JSON.parse(data);
    show[notice.type](notice);
  });
  socket.addEventListener('reconnecting', leave);
  socket.addEventListener('close', leave);
});

join.addEventListener('submit', (event) => {
  event.preventDefault();
  wanted = name.value;
  socket.send(wanted);
});

send.addEventListener('submit', (event) => {
  event.preventDefault();
  socket.send(text.value);
  text.value = '';
});
