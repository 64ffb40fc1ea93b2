/**
 * A page of the demo site as its visitor has it: what it shows, and what is done to it. Whatever happens
 * late is waited for from here, because browsers slow the timers of tabs that nobody sees.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setInterval } from 'node:timers/promises';
import type { Browser, Tab } from './engines.ts';

const DEADLINE = 10_000;
const STEP = 20;

/** Run once the page has loaded, for the browser whose driver does not tell what its console says. */
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

  /** Waits until this expression gives something true. @returns what it gives */
  async until(expression: string): Promise<unknown> {
    const end = performance.now() + DEADLINE;
    let value: unknown;
    for await (const _ of setInterval(STEP)) {
      // On its way to another page it has nothing to tell.
      value = await this.tab.evaluate(expression).catch(() => false);
      if (Boolean(value) || performance.now() > end) break;
    }
    assert.ok(value, `waited in vain for ${expression}`);
    return value;
  }

  async text(selector: string): Promise<string> {
    return String(await this.tab.evaluate(`document.querySelector(${quoted(selector)}).innerText`));
  }

  /** Waits until this part of the page contains this text. */
  async shows(selector: string, text: string): Promise<void> {
    await this.until(
      `document.querySelector(${quoted(selector)})?.innerText.includes(${quoted(text)})`,
    );
  }

  /** Waits until there is such an element that can be used. */
  async usable(selector: string): Promise<void> {
    await this.until(
      `document.querySelector(${quoted(selector)})?.matches(':enabled') && document.querySelector(${quoted(selector)}).checkVisibility()`,
    );
  }

  async click(selector: string): Promise<void> {
    await this.tab.evaluate(`void document.querySelector(${quoted(selector)}).click()`);
  }

  /** Writes this text into the field of a form, once it can be used, and presses its button. */
  async say(form: string, text: string): Promise<void> {
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

  /** The person goes, having seen no error. */
  async leave(): Promise<void> {
    const errors = await this.tab.errors();
    await this.tab.close();
    assert.deepEqual(errors, []);
  }
}
