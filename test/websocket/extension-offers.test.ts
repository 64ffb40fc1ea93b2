/** RFC 6455, section 9.1, and RFC 7692, sections 5 and 7.1: the negotiation of permessage-deflate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { acceptDeflate, readExtensionOffers } from '../../src/websocket/extension-offers.ts';

const ACCEPTED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

/** The response to a header, or `malformed`. */
function negotiate(header: string): string | undefined {
  const offers = readExtensionOffers(header);
  return offers === undefined ? 'malformed' : acceptDeflate(offers);
}

for (const offer of [
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits',
  'permessage-deflate; client_max_window_bits=8',
  'permessage-deflate; client_max_window_bits=15',
  'permessage-deflate; client_max_window_bits="10"',
  String.raw`permessage-deflate; client_max_window_bits="\1\0"`,
  'permessage-deflate; server_no_context_takeover',
  'permessage-deflate; client_no_context_takeover',
  'permessage-deflate;server_no_context_takeover;client_no_context_takeover;client_max_window_bits',
  ' \tpermessage-deflate \t; \tclient_max_window_bits \t= \t9 \t',
]) {
  test(`7.1: the offer \`${offer}\` is accepted without context takeover`, () => {
    assert.equal(negotiate(offer), ACCEPTED);
  });
}

test('7.1.2.1: a window of 15 bits, if demanded, is confirmed', () => {
  const offer = 'permessage-deflate; server_max_window_bits=15; client_max_window_bits';
  assert.equal(negotiate(offer), `${ACCEPTED}; server_max_window_bits=15`);
});

for (const [fault, offer] of [
  ['an unknown parameter', 'permessage-deflate; level=9'],
  ['a parameter in capitals', 'permessage-deflate; Client_max_window_bits'],
  ['a repeated parameter', 'permessage-deflate; client_max_window_bits; client_max_window_bits=9'],
  ['a repeated flag', 'permessage-deflate; server_no_context_takeover; server_no_context_takeover'],
  ['a flag with a value', 'permessage-deflate; server_no_context_takeover=true'],
  ['another flag with a value', 'permessage-deflate; client_no_context_takeover=""'],
  ['a window without its size', 'permessage-deflate; server_max_window_bits'],
  ...['7', '8', '9', '14', '16', '015', '15.0', '+15', ''].map(
    (bits) =>
      [
        `a server window of "${bits}" bits`,
        `permessage-deflate; server_max_window_bits="${bits}"`,
      ] as const,
  ),
  ...['7', '16', '08', '-9', '1e1', 'x', ''].map(
    (bits) =>
      [
        `a client window of "${bits}" bits`,
        `permessage-deflate; client_max_window_bits="${bits}"`,
      ] as const,
  ),
  ['another name', 'x-webkit-deflate-frame'],
  ['a name in capitals', 'Permessage-Deflate'],
  ['the name of an object', '__proto__'],
] as const) {
  test(`7.1: an offer with ${fault} is declined`, () => {
    assert.equal(negotiate(offer), undefined);
    assert.equal(negotiate(`${offer}, permessage-deflate`), ACCEPTED);
  });
}

test('5.1: the first acceptable of several offers is accepted', () => {
  const offers = [
    'x-other; a=1; b="c,d;e"',
    'permessage-deflate; server_max_window_bits=10',
    'permessage-deflate; server_max_window_bits=15',
    'permessage-deflate',
  ];
  assert.equal(negotiate(offers.join(',')), `${ACCEPTED}; server_max_window_bits=15`);
});

test('empty elements of the list count for nothing', () => {
  assert.equal(negotiate(' , ,permessage-deflate,, '), ACCEPTED);
  for (const header of ['', ' ', ',', ' , \t']) assert.equal(negotiate(header), undefined);
});

for (const header of [
  'permessage-deflate;',
  'permessage-deflate;;client_max_window_bits',
  ';permessage-deflate',
  'permessage-deflate=1',
  'permessage-deflate; =1',
  'permessage-deflate; client_max_window_bits=',
  'permessage-deflate; client_max_window_bits="9',
  String.raw`permessage-deflate; client_max_window_bits="9\"`,
  'permessage-deflate client_max_window_bits',
  'permessage-deflate, x y',
  'permessage-deflate\0',
  'permessage-defl\u00e4te',
  'permessage-deflate; a=b=c',
]) {
  test(`9.1: the header ${JSON.stringify(header)} is malformed`, () => {
    assert.equal(negotiate(header), 'malformed');
  });
}

test('a header of 1024 characters is read, and a longer one has no offers', () => {
  const longest = `permessage-deflate${' '.repeat(1006)}`;
  assert.equal(negotiate(longest), ACCEPTED);
  assert.equal(negotiate(`${longest} `), undefined);
  assert.equal(negotiate(`;${longest}`), undefined);
});

test('a header with any offers is read as they were', () => {
  const token = fc.stringMatching(/^[!#$%&'*+\-.^`|~\w]{1,8}$/);
  const value = fc.option(token, { nil: undefined });
  const pairs = fc.array(fc.tuple(token, value), { maxLength: 4 });
  const offer = fc.record({ name: token, parameters: pairs }, { noNullPrototype: true });
  const write = (text: string, isQuoted: boolean): string =>
    isQuoted ? `"${text.replaceAll(/[^]/g, String.raw`\$&`)}"` : text;
  fc.assert(
    fc.property(fc.array(offer, { maxLength: 5 }), fc.boolean(), (offers, isQuoted) => {
      const header = offers.map(({ name, parameters }) =>
        [
          name,
          ...parameters.map(([key, text]) =>
            text === undefined ? key : `${key}=${write(text, isQuoted)}`,
          ),
        ].join('; '),
      );
      assert.deepEqual(readExtensionOffers(header.join(', ')), offers);
    }),
  );
});
