import { text } from './text.js';

function show() {
  document.querySelector('#text').textContent = text;
}

show();
import.meta.webpackHot.accept('./text.js', show);
