import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { AbortableIterator } from '../../src/api/abortable-iterator.ts';
import { until } from '../../testkit/until.ts';

async function collect<T>(iterator: AbortableIterator<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterator) items.push(item);
  return items;
}

async function* generate(): AsyncGenerator<string> {
  yield 'a';
  yield 'b';
}

const SOURCES: readonly (readonly [
  name: string,
  create: () => Iterable<string> | AsyncIterable<string>,
])[] = [
  ['an array', () => ['a', 'b']],
  ['a set', () => new Set(['a', 'b'])],
  ['an async generator', generate],
  ['a stream', () => Readable.from(['a', 'b'])],
];

for (const [name, create] of SOURCES) {
  test(`it yields all items of ${name}`, async () => {
    assert.deepEqual(await collect(new AbortableIterator(create())), ['a', 'b']);
  });

  test(`after abort it yields nothing of ${name}`, async () => {
    const iterator = new AbortableIterator(create());
    iterator.abort();
    assert.deepEqual(await collect(iterator), []);
  });
}

test('abort ends the waiting for a silent source', async () => {
  const iterator = new AbortableIterator(new PassThrough({ encoding: 'utf8' }));
  const items = collect(iterator);
  iterator.abort();
  assert.deepEqual(await items, []);
});

test('abort stops a generator', async () => {
  let isStopped = false;
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield 'a';
    } finally {
      isStopped = true;
    }
  }
  const iterator = new AbortableIterator(endless());
  await iterator.next();
  iterator.abort();
  await until(() => isStopped, 'the end of the generator');
});

test('abort destroys a stream', () => {
  const stream = new PassThrough();
  new AbortableIterator(stream).abort();
  assert.equal(stream.destroyed, true);
});

test('abort destroys a stream of another library', () => {
  let isDestroyed = false;
  const stream = {
    on() {},
    pipe() {},
    destroy() {
      isDestroyed = true;
    },
    *[Symbol.iterator]() {
      yield 'a';
    },
  };
  new AbortableIterator(stream).abort();
  assert.equal(isDestroyed, true);
});

test('abort leaves other objects with a method destroy alone', async () => {
  let isReturned = false;
  class Store extends EventEmitter {
    destroy(): never {
      throw new Error('the store belongs to the application');
    }

    *[Symbol.iterator](): Generator<string> {
      try {
        for (;;) yield 'a';
      } finally {
        isReturned = true;
      }
    }
  }
  const iterator = new AbortableIterator(new Store());
  await iterator.next();
  iterator.abort();
  assert.equal(isReturned, true);
});

test('the error of a source is thrown', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield 'a';
    throw new Error('no more');
  }
  await assert.rejects(collect(new AbortableIterator(failing())), /no more/);
});
