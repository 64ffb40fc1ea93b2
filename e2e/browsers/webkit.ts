/**
 * WebKit: the MiniBrowser of WebKitGTK on a new display, driven by WebKitWebDriver. The driver executes one command
 * at a time and has no access to the console, so commands are queued, and the page collects its errors.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { connect } from 'node:net';
import { setInterval } from 'node:timers/promises';
import { Builder, Capabilities, Key, type WebDriver } from 'selenium-webdriver';
import { within } from '../../testkit/until.ts';
import type { Browser, Tab } from './browser.ts';

const TIMEOUT_MS = 20_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Programs in their own process groups, so that their children end with them however this process ends. */
class Programs {
  readonly #running: ChildProcess[] = [];
  readonly #killAll = (): void => {
    for (const child of this.#running) kill(child);
  };
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#killAll();
    this.#forget();
    process.kill(process.pid, signal);
  };

  constructor() {
    process.once('exit', this.#killAll);
    for (const signal of SIGNALS) process.once(signal, this.#onSignal);
  }

  start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(program, args, {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    this.#running.push(child);
    return child;
  }

  async end(): Promise<void> {
    this.#forget();
    const ends = this.#running.toReversed().map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      kill(child);
      await ended;
    });
    await Promise.all(ends);
  }

  #forget(): void {
    process.off('exit', this.#killAll);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }
}

function kill({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended.
  }
}

/** @returns the display that Xvfb has chosen, such as ':1' */
async function startDisplay(programs: Programs): Promise<string> {
  const server = programs.start('Xvfb', [
    '-displayfd',
    '3',
    '-screen',
    '0',
    '1280x800x24',
    '-nolisten',
    'tcp',
  ]);
  const pipe = server.stdio[3];
  if (pipe === null || pipe === undefined) throw new Error('Xvfb was started without a pipe.');
  const output: readonly unknown[] = await once(pipe, 'data', {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return `:${String(output[0]).trim()}`;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** The driver does not print a port that it has chosen, so it gets one, and another one if that is in use. */
async function startDriver(programs: Programs, display: string): Promise<number> {
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const driver = programs.start('WebKitWebDriver', [`--port=${port}`], {
    DISPLAY: display,
    // In the locale C.UTF-8 navigator.language would be 'C', with which Intl throws.
    LC_ALL: 'C',
    NO_AT_BRIDGE: '1',
    WEBKIT_DISABLE_COMPOSITING_MODE: '1',
  });
  const end = performance.now() + TIMEOUT_MS;
  for await (const _ of setInterval(50)) {
    if (driver.exitCode !== null) return startDriver(programs, display);
    if (await isListening(port)) return port;
    if (performance.now() > end) break;
  }
  throw new Error('WebKitWebDriver does not listen.');
}

function browserProgram(): string {
  const found = globSync('/usr/lib/*/webkit2gtk-4.*/MiniBrowser').toSorted().at(-1);
  if (found === undefined) throw new Error('No MiniBrowser; apt-get install webkit2gtk-driver');
  return found;
}

function capabilities(): Capabilities {
  return (
    new Capabilities()
      .set('browserName', 'MiniBrowser')
      // The certificates of the tests are self-signed.
      .setAcceptInsecureCerts(true)
      .set('webkitgtk:browserOptions', { binary: browserProgram(), args: ['--automation'] })
  );
}

/** Runs tasks one after the other, whether they succeed or not. */
class TaskQueue {
  #last: Promise<unknown> = Promise.resolve();

  add<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#last.then(task, task);
    this.#last = run;
    return run;
  }
}

const KEYS = { Tab: Key.TAB, Enter: Key.ENTER } as const;

function typeKeys(driver: WebDriver, keys: string): Promise<void> {
  return driver.actions().sendKeys(keys).perform();
}

/** The toolbar of the MiniBrowser keeps pages at least 447 pixels wide. */
async function resize(driver: WebDriver, width: number, height: number): Promise<void> {
  await driver.manage().window().setRect({ width, height });
}

/** @param home a tab that is not closed */
async function newTab(
  driver: WebDriver,
  tasks: TaskQueue,
  home: string,
  url: string,
): Promise<Tab> {
  await driver.switchTo().newWindow('tab');
  const own = await driver.getWindowHandle();
  await driver.get(url);
  const inTab = <T>(task: () => Promise<T>): Promise<T> =>
    tasks.add(async () => {
      await driver.switchTo().window(own);
      return task();
    });
  const evaluate = (expression: string): Promise<unknown> =>
    inTab(() => driver.executeScript(`return (${expression})`));
  return {
    evaluate,
    reload: () => inTab(() => driver.navigate().refresh()),
    press: (key) => inTab(() => typeKeys(driver, KEYS[key])),
    type: (text) => inTab(() => typeKeys(driver, text)),
    resize: (width, height) => inTab(() => resize(driver, width, height)),
    close: () =>
      inTab(async () => {
        await driver.close();
        await driver.switchTo().window(home);
      }),
    errors: async () => {
      const errors = await evaluate('window.consoleErrors');
      return Array.isArray(errors) ? errors.map(String) : [];
    },
  };
}

export async function openWebKit(): Promise<Browser> {
  const programs = new Programs();
  try {
    const display = await startDisplay(programs);
    const port = await startDriver(programs, display);
    const driver = await new Builder()
      .usingServer(`http://127.0.0.1:${port}`)
      .withCapabilities(capabilities())
      .build();
    await driver.manage().setTimeouts({ script: 120_000 });
    const home = await driver.getWindowHandle();
    const tasks = new TaskQueue();
    return {
      version: String((await driver.getCapabilities()).get('browserVersion')),
      open: (url) => tasks.add(() => newTab(driver, tasks, home, url)),
      end: async () => {
        await within(driver.quit(), 'the end of the browser').catch(() => undefined);
        await programs.end();
      },
    };
  } catch (error) {
    await programs.end();
    throw error;
  }
}
