/** A log of lines that grows at its end, stays there while its reader is there, and forgets the oldest. */
const LONGEST = 300;

/**
 * @param {Element} list scrolls
 * @param {string} text shown as text, whatever it contains
 * @param {{ kind?: string, from?: string }} [options] a class for the line, and who or what it comes from
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
