/**
 * A page of the demo site in a tab. Conditions are polled from this process, because browsers throttle the timers
 * of background tabs.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { until } from '../../testkit/until.ts';
import type { Browser, Tab } from './engines.ts';

/** Evaluated after the page has loaded, for the browser whose driver has no access to the console. */
const COLLECT_ERRORS = `(() => { ${readFileSync(new URL('setup.js', import.meta.url), 'utf8')} })()`;

function quoted(text: string): string {
  return JSON.stringify(text);
}

export class DemoPage {
  readonly tab: Tab;

  private constructor(tab: Tab) {
    this.tab = tab;
  }

  static async open(browser: Browser, url: string): Promise<DemoPage> {
    const page = new DemoPage(await browser.open(url));
    await page.tab.evaluate(COLLECT_ERRORS);
    return page;
  }

  /** Waits until an expression has a truthy value. @returns the value */
  async until(expression: string): Promise<unknown> {
    // A tab that is loading another page cannot evaluate.
    return until(async () => this.tab.evaluate(expression).catch(() => false), expression);
  }

  async text(selector: string): Promise<string> {
    return String(await this.tab.evaluate(`document.querySelector(${quoted(selector)}).innerText`));
  }

  /** Waits until an element contains a text. */
  async shows(selector: string, text: string): Promise<void> {
    const expression = `document.querySelector(${quoted(selector)})?.innerText`;
    let shown: unknown;
    const showsText = async (): Promise<boolean> => {
      // A tab that is loading another page cannot evaluate.
      shown = await this.tab.evaluate(expression).catch(() => undefined);
      return String(shown).includes(text);
    };
    await until(showsText, `${text} in ${selector}`, { state: () => shown });
  }

  /** Waits until an element exists, is visible and enabled. */
  async usable(selector: string): Promise<void> {
    await this.until(
      `document.querySelector(${quoted(selector)})?.matches(':enabled') && document.querySelector(${quoted(selector)}).checkVisibility()`,
    );
  }

  async click(selector: string): Promise<void> {
    await this.tab.evaluate(`void document.querySelector(${quoted(selector)}).click()`);
  }

  /** Waits until the field of a form is enabled, fills it and clicks the button. */
  async submit(form: string, text: string): Promise<void> {
    await this.usable(`${form} input`);
    await this.tab.evaluate(
      `void (document.querySelector(${quoted(`${form} input`)}).value = ${quoted(text)})`,
    );
    await this.click(`${form} button`);
  }

  async choose(transport: string): Promise<void> {
    await this.tab.evaluate(`(() => {
      const select = document.querySelector('#connection select');
      select.value = ${quoted(transport)};
      select.dispatchEvent(new Event('change', { bubbles: true }));
    })()`);
  }

  /** Closes the tab. @throws AssertionError if the console has errors */
  async close(): Promise<void> {
    const errors = await this.tab.errors();
    await this.tab.close();
    assert.deepEqual(errors, []);
  }
}
