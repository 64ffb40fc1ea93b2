/** Texts that a client sends, and that have to return unchanged. */

const UNITS = 0x10000;
const SLICE = 1024;

/** All code units. Halves of surrogate pairs are in separate slices, so that they stay unpaired. */
const ALL = Array.from({ length: UNITS / SLICE }, (_, slice) =>
  String.fromCharCode(...Array.from({ length: SLICE }, (_unit, index) => slice * SLICE + index)),
);

const TRICKY = [
  '',
  ' ',
  '"\'\\/`$&',
  '</script><script>throw 1</script><!-- ]]>',
  '<b onclick="x">&amp;&lt;&#0;</b>',
  '\r\n\n\r\t\0',
  '%00%0A%zz%u0041%E2%82%AC%',
  'a[]o{}h c[3000,"Go away!"]',
  '["a","b"]',
  '\ud800',
  '\udc00\ud800',
  '\u{1f600}\u{10ffff}',
  '\u2028\u2029\ufeff\ufffe\uffff',
];

export const TEXTS: Readonly<Record<'texts' | 'numbers' | 'large', readonly string[]>> = {
  /** Every character, and combinations that are hard to escape. */
  texts: [...ALL, ...TRICKY],
  /** Messages that show their order. */
  numbers: Array.from({ length: 500 }, (_, index) => `number ${index}`),
  /** One of 256 KiB. */
  large: ['sockjs, '.repeat(32 * 1024)],
};
