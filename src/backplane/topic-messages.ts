/**
 * Messages of topics as the engine carries them. Each one has a header with its publisher and its number in the topic,
 * so that a subscriber notices lost messages. A message that is too long for the engine is split into parts.
 */
import { RecentMap } from '../base/recent-map.ts';
import type { NodeId } from './backplane.ts';

/** Bytes of UTF-8 for one UTF-16 code unit, at most. */
const MAX_BYTES_PER_UNIT = 3;
const MAX_HEADER_BYTES = 128;
/** A character may take two UTF-16 code units, which stay together. */
const MIN_PART_UNITS = 2;

/** Limit for the topics whose numbers a publisher remembers. Clients may choose the names of groups. */
const MAX_NUMBERED_TOPICS = 100_000;

/** Characters of one message that a subscriber collects. A longer message is dropped and reported as missed. */
const MAX_MESSAGE_UNITS = 64 * 1024 * 1024;

/**
 * `json` is text that is encoded, because UTF-8 cannot carry its lone surrogates. `count` repeats the last number.
 * `lost` reports that messages up to its number could not be published.
 */
const FORMS = ['count', 'json', 'lost', 'text'] as const;
type Form = (typeof FORMS)[number];

interface Envelope {
  readonly from: NodeId;
  readonly number: number;
  readonly form: Form;
  /** Position in the message, from 1. */
  readonly part: number;
  readonly parts: number;
  readonly data: string;
}

const HEADER = /^([\w-]{1,64}) (\d{1,16}) ([a-z]{4,5}) (\d{1,9})\/(\d{1,9}) /;

function decode(text: string): Envelope | undefined {
  const [header = '', from = '', number, name, part, parts] = HEADER.exec(text) ?? [];
  const form = FORMS.find((known) => known === name);
  if (form === undefined) return undefined;
  const data = text.slice(header.length);
  return { from, number: Number(number), form, part: Number(part), parts: Number(parts), data };
}

/** Returns undefined if the text is not the JSON of a string. */
function parseText(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd8_00 && unit <= 0xdb_ff;
}

/** Splits well-formed text into parts of at most `maxUnits` UTF-16 code units, never inside a character. */
function* split(text: string, maxUnits: number): Generator<string, void, undefined> {
  let start = 0;
  while (text.length - start > maxUnits) {
    const last = start + maxUnits - 1;
    const end = isHighSurrogate(text.charCodeAt(last)) ? last : last + 1;
    yield text.slice(start, end);
    start = end;
  }
  yield text.slice(start);
}

/** Numbers and encodes the messages that this node publishes. */
export class TopicPublisher {
  readonly #node: NodeId;
  readonly #maxUnits: number;
  /** Number of the last message of each topic. */
  readonly #numbers = new RecentMap<string, number>(MAX_NUMBERED_TOPICS, () => {
    this.#first = this.#highest;
  });
  /** Highest number of all topics. */
  #highest = 0;
  /** Number from which an unknown topic continues. A subscriber may know a number of it that was dropped. */
  #first = 0;
  /** Topics with messages since the last call of `takeMarks`, and whether some could not be published. */
  readonly #unmarked = new Map<string, 'count' | 'lost'>();

  /** @param maxBytes longest message that the engine carries */
  constructor(node: NodeId, maxBytes: number) {
    this.#node = node;
    const maxUnits = Math.floor((maxBytes - MAX_HEADER_BYTES) / MAX_BYTES_PER_UNIT);
    this.#maxUnits = Math.max(maxUnits, MIN_PART_UNITS);
  }

  /** Returns the envelopes of a message, in order. */
  encode(topic: string, data: string): readonly string[] {
    const isWellFormed = data.isWellFormed();
    const parts = [...split(isWellFormed ? data : JSON.stringify(data), this.#maxUnits)];
    const form = isWellFormed ? 'text' : 'json';
    if (!this.#unmarked.has(topic)) this.#mark(topic, 'count');
    const last = this.#numberOf(topic);
    this.#numbers.set(topic, last + parts.length);
    this.#highest = Math.max(this.#highest, last + parts.length);
    return parts.map(
      (part, index) =>
        `${this.#node} ${last + index + 1} ${form} ${index + 1}/${parts.length} ${part}`,
    );
  }

  /** Remembers that a message could not be published. */
  lose(topic: string): void {
    this.#mark(topic, 'lost');
  }

  /**
   * Returns an envelope for each topic with messages since the last call. With it, a subscriber notices that the last
   * message is missing, although none follows.
   */
  takeMarks(): ReadonlyMap<string, string> {
    const marks = new Map<string, string>();
    for (const [topic, form] of this.#unmarked)
      marks.set(topic, `${this.#node} ${this.#numberOf(topic)} ${form} 1/1 `);
    this.#unmarked.clear();
    return marks;
  }

  /** Without a mark, a subscriber notices the loss with the next message. */
  #mark(topic: string, form: 'count' | 'lost'): void {
    if (this.#unmarked.size < MAX_NUMBERED_TOPICS || this.#unmarked.has(topic))
      this.#unmarked.set(topic, form);
  }

  #numberOf(topic: string): number {
    return this.#numbers.get(topic) ?? this.#first;
  }
}

/** Messages of one publisher in one topic. */
interface Stream {
  /** Number of the last envelope. */
  number: number;
  /** Parts of an incomplete message. */
  parts: string[];
  units: number;
}

export interface TopicListener {
  onMessage(topic: string, from: NodeId, data: string): void;
  onMissed(topic: string, from: NodeId): void;
}

/** Decodes the messages of subscribed topics, and notices those that are missing. */
export class TopicSubscriber {
  readonly #node: NodeId;
  readonly #listener: TopicListener;
  readonly #streams = new Map<string, Map<NodeId, Stream>>();

  constructor(node: NodeId, listener: TopicListener) {
    this.#node = node;
    this.#listener = listener;
  }

  get topics(): Iterable<string> {
    return this.#streams.keys();
  }

  subscribe(topic: string): void {
    if (!this.#streams.has(topic)) this.#streams.set(topic, new Map());
  }

  unsubscribe(topic: string): void {
    this.#streams.delete(topic);
  }

  /** Drops the state of publishers that are not members. */
  retain(members: ReadonlyMap<NodeId, unknown>): void {
    for (const streams of this.#streams.values())
      for (const node of streams.keys()) if (!members.has(node)) streams.delete(node);
  }

  receive(topic: string, text: string): void {
    const streams = this.#streams.get(topic);
    const envelope = decode(text);
    if (streams === undefined || envelope === undefined || envelope.from === this.#node) return;
    const { from, number, form } = envelope;
    const isMark = form === 'count' || form === 'lost';
    let stream = streams.get(from);
    if (stream === undefined) {
      // The first envelope after the subscription. Messages before it were not for this node.
      stream = { number: isMark ? number : number - 1, parts: [], units: 0 };
      streams.set(from, stream);
    }
    const due = isMark ? stream.number : stream.number + 1;
    if (number < due) return;
    if (number > due || form === 'lost') this.#miss(topic, stream, from);
    stream.number = number;
    if (!isMark) this.#collect(topic, stream, envelope);
  }

  #miss(topic: string, stream: Stream, from: NodeId): void {
    stream.parts = [];
    stream.units = 0;
    this.#listener.onMissed(topic, from);
  }

  /** Adds a part to its message, and delivers a complete message. A message without its beginning is dropped. */
  #collect(topic: string, stream: Stream, { from, form, part, parts, data }: Envelope): void {
    if (part !== stream.parts.length + 1) return;
    stream.parts.push(data);
    stream.units += data.length;
    if (stream.units > MAX_MESSAGE_UNITS) return this.#miss(topic, stream, from);
    if (part < parts) return;
    const text = stream.parts.join('');
    stream.parts = [];
    stream.units = 0;
    const message = form === 'json' ? parseText(text) : text;
    if (message === undefined) this.#miss(topic, stream, from);
    else this.#listener.onMessage(topic, from, message);
  }
}
