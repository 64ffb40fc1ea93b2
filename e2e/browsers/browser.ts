/** What a test needs of a browser, whichever it is. */
export interface Tab {
  /** The JSON value of an expression, or of the promise that it gives. */
  evaluate(expression: string): Promise<unknown>;
  reload(): Promise<void>;
  /** A key of the keyboard, as a person presses it. */
  press(key: 'Tab' | 'Enter'): Promise<void>;
  /** Characters, key by key. */
  type(text: string): Promise<void>;
  /** What the page has to itself, in CSS pixels; a window can have a least width. */
  resize(width: number, height: number): Promise<void>;
  close(): Promise<void>;
  /** Errors on the console so far. */
  errors(): Promise<readonly string[]>;
}

export interface Browser {
  /** As the browser tells it. */
  readonly version: string;
  /** A new tab, once its page has loaded. */
  open(url: string): Promise<Tab>;
  /** Ends the browser and all that was started with it. */
  end(): Promise<void>;
}
