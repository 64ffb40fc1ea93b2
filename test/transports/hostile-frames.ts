/** Frames with text that would break out of an encoding without escapes. */
import { type Frame, closeFrame, messagesFrame, openFrame } from '../../src/protocol/frame.ts';
import { createMessage } from '../../src/sessions/create-message.ts';

const HOSTILE_TEXTS = [
  '</script><script>alert(1)</script>',
  '<!--<script>',
  ']]>',
  '\u2028\u2029',
  "');alert('",
  '");alert("',
  '\\',
  '\\u003c/script>',
  '%0d%0a%00%25%',
  '\r\n\r\ndata: x\r\n\r\n',
  '\n\0\r',
  '*/ alert(1) /*',
  'é😀\ud800\ufeff',
];

export const HOSTILE_FRAMES: readonly Frame[] = [
  openFrame(),
  ...HOSTILE_TEXTS.map((text) => messagesFrame([createMessage(text), createMessage(text)])),
  ...HOSTILE_TEXTS.map((text) => closeFrame(3000, text)),
  // Frames in which the encoder of messages has escaped nothing.
  ...HOSTILE_TEXTS.map((text): Frame => ({
    type: 'close',
    isLong: false,
    text,
    code: 3000,
    reason: '',
  })),
];
