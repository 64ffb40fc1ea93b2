/** The interface of all browsers to the tests. */
export interface Tab {
  /** Evaluates an expression. @returns its JSON value, or that of its promise */
  evaluate(expression: string): Promise<unknown>;
  reload(): Promise<void>;
  /** Presses a key of the keyboard. */
  press(key: 'Tab' | 'Enter'): Promise<void>;
  /** Types characters, key by key. */
  type(text: string): Promise<void>;
  /** Sets the size of the page in CSS pixels. A window may have a minimal width. */
  resize(width: number, height: number): Promise<void>;
  close(): Promise<void>;
  /** Returns the errors on the console so far. */
  errors(): Promise<readonly string[]>;
}

export interface Browser {
  /** Version that the browser reports. */
  readonly version: string;
  /** Opens a tab and waits until its page has loaded. */
  open(url: string): Promise<Tab>;
  /** Ends the browser and all its processes. */
  end(): Promise<void>;
}
