/** Item of `LargestFirst`, which sets `heapIndex`. */
export interface Sized {
  readonly bytes: number;
  /** -1 while the item is in no heap. */
  heapIndex: number;
}

/** Binary heap with the largest item on top. */
export class LargestFirst<Item extends Sized> {
  readonly #items: Item[] = [];

  get largest(): Item | undefined {
    return this.#items[0];
  }

  /** Moves an item to its place after its bytes have changed. An item without bytes is not in the heap. */
  update(item: Item): void {
    if (item.bytes > 0) {
      if (item.heapIndex < 0) item.heapIndex = this.#items.push(item) - 1;
      this.#moveUp(item);
      this.#moveDown(item);
    } else if (item.heapIndex >= 0) {
      this.#remove(item);
    }
  }

  #remove(item: Item): void {
    const index = item.heapIndex;
    item.heapIndex = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#place(last, index);
    this.#moveUp(last);
    this.#moveDown(last);
  }

  #place(item: Item, index: number): void {
    this.#items[index] = item;
    item.heapIndex = index;
  }

  #moveUp(item: Item): void {
    for (;;) {
      const index = item.heapIndex;
      const parent = index > 0 ? this.#items[(index - 1) >> 1] : undefined;
      if (parent === undefined || parent.bytes >= item.bytes) return;
      this.#place(item, parent.heapIndex);
      this.#place(parent, index);
    }
  }

  #moveDown(item: Item): void {
    for (;;) {
      const index = item.heapIndex;
      const left = this.#items[2 * index + 1];
      const right = this.#items[2 * index + 2];
      const child =
        right !== undefined && left !== undefined && right.bytes > left.bytes ? right : left;
      if (child === undefined || child.bytes <= item.bytes) return;
      this.#place(item, child.heapIndex);
      this.#place(child, index);
    }
  }
}
