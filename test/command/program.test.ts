import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrateProgram } from '../../command/migrate/program.ts';

/** Programs before and after the migration. */
const REWRITTEN: Readonly<Record<string, readonly [before: string, after: string]>> = {
  'a program in CommonJS': [
    `const sockjs = require('sockjs');\nconst { Session } = require("sockjs/lib/transport");`,
    `const sockjs = require('sockjs-server/sockjs');\nconst { Session } = require("sockjs-server/sockjs/transport");`,
  ],
  'a path with its extension': [
    `require('sockjs/lib/transport.js')`,
    `require('sockjs-server/sockjs/transport')`,
  ],
  'a module': [
    `import sockjs, { createServer as create } from 'sockjs';\nimport * as all from "sockjs";\nimport 'sockjs';\nimport { "a b" as c, d } from 'sockjs';`,
    `import sockjs, { createServer as create } from 'sockjs-server/sockjs';\nimport * as all from "sockjs-server/sockjs";\nimport 'sockjs-server/sockjs';\nimport { "a b" as c, d } from 'sockjs-server/sockjs';`,
  ],
  'types and `import =` of TypeScript': [
    `import sockjs = require('sockjs');\nimport type { Server } from 'sockjs';\ntype C = import('sockjs').Connection;`,
    `import sockjs = require('sockjs-server/sockjs');\nimport type { Server } from 'sockjs-server/sockjs';\ntype C = import('sockjs-server/sockjs').Connection;`,
  ],
  're-exports': [
    `export * from 'sockjs';\nexport * as s from 'sockjs';\nexport { listen } from 'sockjs';`,
    `export * from 'sockjs-server/sockjs';\nexport * as s from 'sockjs-server/sockjs';\nexport { listen } from 'sockjs-server/sockjs';`,
  ],
  'dynamic imports': [
    "await import('sockjs'); await import(/* lazy */ `sockjs`);",
    "await import('sockjs-server/sockjs'); await import(/* lazy */ `sockjs-server/sockjs`);",
  ],
  resolution: [
    `require.resolve('sockjs'); import.meta.resolve('sockjs'); module.require('sockjs');`,
    `require.resolve('sockjs-server/sockjs'); import.meta.resolve('sockjs-server/sockjs'); module.require('sockjs-server/sockjs');`,
  ],
  'mocks of test runners': [
    `jest.mock('sockjs', () => ({})).doMock('sockjs'); vi.importActual<typeof import('sockjs')>('sockjs'); t.mock.module('sockjs', {});`,
    `jest.mock('sockjs-server/sockjs', () => ({})).doMock('sockjs-server/sockjs'); vi.importActual<typeof import('sockjs-server/sockjs')>('sockjs-server/sockjs'); t.mock.module('sockjs-server/sockjs', {});`,
  ],
  'a minified program': [
    `import a from"sockjs";var b=/'/g,c=1/2;export*from"sockjs";d=b?require("sockjs"):c/2`,
    `import a from"sockjs-server/sockjs";var b=/'/g,c=1/2;export*from"sockjs-server/sockjs";d=b?require("sockjs-server/sockjs"):c/2`,
  ],
  'line ends of Windows': [
    `'use strict';\r\nconst s = require('sockjs');\r\n`,
    `'use strict';\r\nconst s = require('sockjs-server/sockjs');\r\n`,
  ],
  'a byte order mark and the line of a shell': [
    `\ufeff#!/usr/bin/env node\nimport s from 'sockjs';`,
    `\ufeff#!/usr/bin/env node\nimport s from 'sockjs-server/sockjs';`,
  ],
  'a byte order mark before the first import': [
    `\u00ef\u00bb\u00bfimport s from 'sockjs';`,
    `\u00ef\u00bb\u00bfimport s from 'sockjs-server/sockjs';`,
  ],
  JSX: [
    `import s from 'sockjs';\nconst a = <p title="sockjs">Don't import x from "sockjs</p>;\nrequire('sockjs');`,
    `import s from 'sockjs-server/sockjs';\nconst a = <p title="sockjs">Don't import x from "sockjs</p>;\nrequire('sockjs-server/sockjs');`,
  ],
  'code in a template': [
    "`'sockjs' ${require('sockjs')}`",
    "`'sockjs' ${require('sockjs-server/sockjs')}`",
  ],
};

for (const [name, [before, after]] of Object.entries(REWRITTEN)) {
  test(`rewrites ${name}, once`, () => {
    assert.equal(migrateProgram(before).text, after);
    const again = migrateProgram(after);
    assert.deepEqual([again.text, again.rewritten], [after, []]);
    assert.ok(again.usesSockJS);
  });
}

/** Programs that stay as they are. */
const KEPT: Readonly<Record<string, string>> = {
  comments: `// require('sockjs')\n/* import s from 'sockjs';\n jest.mock('sockjs') */\n`,
  'other packages': `require('sockjs-client'); import a from 'sockjs-client/dist/sockjs'; import b from '@types/sockjs'; require('sockjs-server/sockjs'); require('./sockjs');`,
  'strings that name no module': `path.resolve('sockjs'); debug('sockjs'); angular.module('sockjs'); load.require('sockjs'); const a = { from: 'sockjs' }; x('sockjs', import.meta.url);`,
  settings: `module.exports = { devServer: { webSocketServer: 'sockjs' }, externals: ['sockjs'] };`,
  'strings and templates with code':
    "const a = \"require('sockjs')\", b = `import s from 'sockjs'`, c = /require\\('sockjs'\\)/;",
  'a name without an import': `Array.from 'sockjs'; let from; from\n'sockjs'`,
  'other files of sockjs': `require('sockjs/lib/utils'); require('sockjs/package.json');`,
};

for (const [name, source] of Object.entries(KEPT)) {
  test(`keeps ${name}`, () => {
    const { text, rewritten } = migrateProgram(source);
    assert.equal(text, source);
    assert.deepEqual(rewritten, []);
  });
}

function notesOf(source: string): string[] {
  return migrateProgram(`require('sockjs');\n${source}`).notes.map(
    ({ line, message }) => `${line}: ${message}`,
  );
}

test('reports the lines that it rewrites', () => {
  const { rewritten } = migrateProgram(
    `\n\nrequire('sockjs');\r\n\nrequire('sockjs/lib/transport')`,
  );
  assert.deepEqual(rewritten, [
    { line: 3, message: '`sockjs` becomes `sockjs-server/sockjs`.' },
    { line: 5, message: '`sockjs/lib/transport` becomes `sockjs-server/sockjs/transport`.' },
  ]);
});

test('reports private uses of the session, also where sockjs is not imported', () => {
  const source =
    "a._session.recv;\nb?._session?.foo;\nc['_session'];\nf(d._session);\n_session = e._sessions;";
  assert.deepEqual(
    migrateProgram(source).sessionUses.map(({ line, message }) => `${line}: ${message}`),
    [
      '1: `_session.recv` is private. The drop-in has it: test this line.',
      '2: `_session.foo` is private, and the drop-in does not have it: remove this use.',
      '3: `_session` is private. Use the connection instead.',
      '4: `_session` is private. Use the connection instead.',
    ],
  );
});

test('reports other files of sockjs', () => {
  assert.deepEqual(notesOf("require('sockjs/lib/utils');"), [
    '2: `sockjs/lib/utils` is private, and the drop-in has only the main module and lib/transport: remove this use.',
  ]);
});

test('reports options of faye-websocket without effect', () => {
  const deflate = "const deflate = require('permessage-deflate');\n";
  for (const value of [
    'null',
    '{}',
    '{ maxLength: 1 }',
    '{ extensions: [] }',
    '{ extensions: [deflate], "maxLength": f({ ping: 1 }, 2) }',
    "{ extensions: [deflate.configure({ level: 1, list: [1, 2] }), require('permessage-deflate')] }",
  ])
    assert.deepEqual(notesOf(`${deflate}f({ faye_server_options: ${value}, ping: 1 })`), [], value);
  assert.deepEqual(
    notesOf(
      "import * as pd from 'permessage-deflate';\noptions.faye_server_options = { extensions: [pd], ping: 1,\n'headers': {} };",
    ),
    [
      '3: `faye_server_options.ping` has no effect: remove it.',
      '4: `faye_server_options.headers` has no effect: remove it.',
    ],
  );
  assert.deepEqual(notesOf('f({ faye_server_options: { extensions: [gzip] } })'), [
    '2: Of `faye_server_options.extensions`, only permessage-deflate has an effect: remove the others.',
  ]);
  assert.match(notesOf('f({ faye_server_options: options })').join(), /^2: Check this value/);
});

test('reports prefixes that are regular expressions', () => {
  assert.deepEqual(notesOf("f({ prefix: '/echo' }, { prefix: '/a.b-c' }, { prefix: name })"), []);
  const [text, expression, ...others] = notesOf(
    "f({ prefix: '/a(?:b)?' });\ng({ 'prefix': /a/ });",
  );
  assert.match(text ?? '', /^2: The prefix is a regular expression\. The drop-in accepts it/);
  assert.match(expression ?? '', /^3: .*write it as a string/);
  assert.deepEqual(others, []);
});

test('reports close codes that are strings', () => {
  const notes = notesOf("a.close(4000, 'b');\nc.close('404');\nclose('d');\ne.close();");
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? '', /^3: .*use a number, such as 4000/);
});

test('reports these only for programs that use sockjs', () => {
  const source =
    "// sockjs\na.close('404'); f({ prefix: '/(a)', faye_server_options: { ping: 1 } });";
  assert.deepEqual(migrateProgram(source).notes, []);
  assert.equal(migrateProgram(`${source} require('sockjs-client')`).notes.length, 0);
  assert.equal(migrateProgram(`${source} require('sockjs-server/sockjs')`).notes.length, 3);
});

test('reports a program that it cannot read to its end', () => {
  assert.deepEqual(notesOf('f(`a'), [
    '2: This comment or template does not end: check the rest of the file.',
  ]);
});

const REPETITIONS = 50_000;
const MAX_MS = 10_000;

for (const part of [
  "a from 'sockjs' ",
  "f<a>('sockjs')",
  '>(`sockjs`)',
  'faye_server_options: { a, [',
  "import b, 'sockjs' ",
  'a._session\n',
])
  test(`the time is linear for many ${JSON.stringify(part)}`, () => {
    const start = performance.now();
    migrateProgram(`require('sockjs') ${part.repeat(REPETITIONS)}`);
    assert.ok(performance.now() - start < MAX_MS);
  });
