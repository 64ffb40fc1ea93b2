/** A log of lines. It drops the oldest lines, and scrolls to the end unless the reader has scrolled up. */
const LONGEST = 300;

/**
 * @param {Element} list the element that scrolls
 * @param {string} text shown as text, even if it contains HTML
 * @param {{ kind?: string, from?: string }} [options] class of the line, and its sender
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
