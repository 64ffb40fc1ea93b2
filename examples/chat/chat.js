import { connect } from './connect.js';
import { addLine } from './log.js';

const log = document.querySelector('#log');
const people = document.querySelector('#people');
const join = document.querySelector('#join');
const name = document.querySelector('#name');
const send = document.querySelector('#send');
const text = document.querySelector('#text');

let sockjs;
/** Name for joining again after the connection was lost. */
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

connect('/chat', (connection) => {
  sockjs = connection;
  let joined = false;
  connection.addEventListener('open', () => {
    if (wanted !== undefined) connection.send(wanted);
  });
  connection.addEventListener('message', ({ data }) => {
    const notice = JSON.parse(data);
    joined ||= notice.type === 'welcome';
    show[notice.type](notice);
  });
  connection.addEventListener('close', () => {
    if (!joined) return;
    people.textContent = '';
    addLine(log, 'You left', { kind: 'notice' });
  });
});

join.addEventListener('submit', (event) => {
  event.preventDefault();
  wanted = name.value;
  sockjs.send(wanted);
});

send.addEventListener('submit', (event) => {
  event.preventDefault();
  sockjs.send(text.value);
  text.value = '';
});
