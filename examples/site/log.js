/** A log of lines. It scrolls to its end while the reader is at its end, and drops the oldest lines. */
const LONGEST = 300;

/**
 * @param {Element} list scrolls
 * @param {string} text shown as text, whatever it contains
 * @param {{ kind?: string, from?: string }} [options] class of the line, and its source
 */
export function addLine(list, text, { kind = '', from } = {}) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 8;
  const line = document.createElement('p');
  line.className = kind;
  if (from !== undefined) {
    const label = document.createElement('b');
    label.textContent = from;
    line.append(label, ' ');
  }
  line.append(text);
  list.append(line);
  while (list.childElementCount > LONGEST) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}
