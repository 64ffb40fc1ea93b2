/**
 * Three browser engines behind one interface: Chromium by playwright-core, Firefox by puppeteer-core over
 * WebDriver BiDi, WebKit by selenium-webdriver and WebKitWebDriver. They run headless with a new profile, and send
 * no requests to other hosts.
 */
import { chromium } from 'playwright-core';
import { launch } from 'puppeteer-core';
import type { Browser } from './browser.ts';
import { openWebKit } from './webkit.ts';

export type { Browser, Tab } from './browser.ts';

export const ENGINES = ['Chromium', 'Firefox', 'WebKit'] as const;
export type EngineName = (typeof ENGINES)[number];

async function openChromium(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
  return {
    version: browser.version(),
    async open(url) {
      // The certificates of the tests are self-signed.
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      const errors: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
      });
      page.on('pageerror', ({ message }) => errors.push(message));
      await page.goto(url);
      return {
        evaluate: (expression) => page.evaluate<unknown>(expression),
        reload: async () => void (await page.reload()),
        press: (key) => page.keyboard.press(key),
        type: (text) => page.keyboard.type(text),
        resize: (width, height) => page.setViewportSize({ width, height }),
        close: () => page.close(),
        errors: () => Promise.resolve(errors),
      };
    },
    end: () => browser.close(),
  };
}

async function openFirefox(): Promise<Browser> {
  const browser = await launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    headless: true,
    // The certificates of the tests are self-signed.
    acceptInsecureCerts: true,
  });
  return {
    version: (await browser.version()).replace(/^firefox\//i, ''),
    async open(url) {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
      });
      page.on('pageerror', (error) => {
        errors.push(error instanceof Error ? error.message : String(error));
      });
      await page.goto(url);
      return {
        evaluate: (expression) => page.evaluate(expression),
        reload: async () => void (await page.reload()),
        press: (key) => page.keyboard.press(key),
        type: (text) => page.keyboard.type(text),
        resize: (width, height) => page.setViewport({ width, height }),
        close: () => page.close(),
        errors: () => Promise.resolve(errors),
      };
    },
    end: () => browser.close(),
  };
}

const OPENERS: { readonly [Name in EngineName]: () => Promise<Browser> } = {
  Chromium: openChromium,
  Firefox: openFirefox,
  WebKit: openWebKit,
};

export function openBrowser(engine: EngineName): Promise<Browser> {
  return OPENERS[engine]();
}
