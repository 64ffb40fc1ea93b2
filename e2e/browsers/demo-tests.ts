/** The demo site in one browser. */
import assert from 'node:assert/strict';
import { type TestContext, after, before, suite, test } from 'node:test';
import { printedPort, runExample, startExample } from '../../test/examples/example.ts';
import { DemoPage } from './demo-page.ts';
import { type Browser, type EngineName, openBrowser } from './engines.ts';

const PAGES = [
  { path: '', title: 'sockjs-server examples' },
  { path: 'echo.html', title: 'Echo · sockjs-server' },
  { path: 'chat.html', title: 'Chat · sockjs-server' },
  { path: 'multiplex.html', title: 'Multiplex · sockjs-server' },
  { path: 'stats.html', title: 'Statistics · sockjs-server' },
];

const TRANSPORTS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'];

const SIZES = [
  [390, 844],
  [1280, 900],
] as const;

/** Maximal width in pixels of the style for narrow windows. */
const NARROW_WIDTH = 480;

/** Name of the focused element, and whether its focus is visible. */
const FOCUSED = `(() => {
  const { activeElement: focused } = document;
  const { outlineStyle, outlineWidth } = getComputedStyle(focused);
  return JSON.stringify([focused.id || focused.className || focused.localName,
    focused === document.body || (outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2)]);
})()`;

/** Presses Tab until the field has the focus. @returns the elements on the way, and whether their focus was visible */
async function tabTo(page: DemoPage, id: string): Promise<Map<string, boolean>> {
  const focusable = new Map<string, boolean>();
  for (let step = 0; step < 10 && !focusable.has(id); step += 1) {
    await page.tab.press('Tab');
    const focused: unknown = JSON.parse(String(await page.tab.evaluate(FOCUSED)));
    assert.ok(Array.isArray(focused));
    focusable.set(String(focused[0]), focused[1] === true);
  }
  return focusable;
}

export function testDemo(engine: EngineName): void {
  suite(`the demo site in ${engine}`, () => {
    const site = startExample('index.ts');
    let browser: Browser;
    let url = '';

    before(async () => {
      url = `http://127.0.0.1:${await printedPort(site)}/`;
      browser = await openBrowser(engine);
    });

    after(async () => {
      await browser.end();
      site.kill('SIGTERM');
      assert.deepEqual(await site.exited(), { code: 0, signal: null });
      assert.equal(site.stderr, '');
    });

    /** Opens a page. At the end of the test it is closed, and may have no errors. */
    async function openPage(t: TestContext, path: string): Promise<DemoPage> {
      const page = await DemoPage.open(browser, url + path);
      t.after(() => page.close());
      return page;
    }

    test('the home page links to every example, and each example links back', async (t) => {
      const page = await openPage(t, '');
      for (const { path, title } of PAGES.slice(1)) {
        await page.click(`.cards a[href="${path}"]`);
        await page.until(`document.title === '${title}' && document.readyState === 'complete'`);
        await page.click('nav a');
        await page.until("document.querySelector('.cards') && document.readyState === 'complete'");
      }
    });

    for (const transport of TRANSPORTS) {
      test(`${transport}: the echo page shows the transport and the echo`, async (t) => {
        const page = await openPage(t, 'echo.html');
        await page.shows('.status', 'Connected by');
        await page.choose(transport);
        await page.shows('.status', `Connected by ${transport}`);
        await page.submit('#send', '<b>hello</b>');
        await page.shows('#log', '← <b>hello</b> (');
        assert.match(
          await page.text('#log'),
          /^→ <b>hello<\/b>\n+← <b>hello<\/b> \(\d+\.\d ms\)\s*$/,
        );
      });
    }

    test('the address contains the chosen transport', async (t) => {
      const page = await openPage(t, 'echo.html?transport=xhr-polling');
      await page.shows('.status', 'Connected by xhr-polling');
      await page.choose('xhr-streaming');
      await page.shows('.status', 'Connected by xhr-streaming');
      await page.until("location.search === '?transport=xhr-streaming'");
    });

    test('a disconnected page cannot send until it reconnects', async (t) => {
      const page = await openPage(t, 'echo.html');
      await page.shows('.status', 'Connected by websocket');
      await page.click('#connection button');
      await page.shows('.status', 'Not connected: closed (1000)');
      await page.until("document.querySelector('#text').matches(':disabled')");
      await page.click('#connection button');
      await page.submit('#send', 'again');
      await page.shows('#log', '← again (');
    });

    test('the chat shows arrivals, messages and departures in both tabs', async (t) => {
      const ann = await openPage(t, 'chat.html');
      await ann.submit('#join', 'Ann');
      await ann.shows('#people', 'In the room: Ann');
      const bob = await openPage(t, 'chat.html?transport=xhr-streaming');
      await bob.submit('#join', 'Bob');
      await bob.shows('#people', 'In the room: Ann, Bob');
      await ann.shows('#log', 'Bob joined');
      await bob.submit('#send', 'hello Ann');
      await ann.shows('#log', 'Bob: hello Ann');
      await ann.submit('#send', 'hello Bob');
      await bob.shows('#log', 'Ann: hello Bob');
      await bob.click('#connection button');
      await ann.shows('#log', 'Bob left');
      await ann.shows('#people', 'In the room: Ann');
      assert.doesNotMatch(await ann.text('#people'), /Bob/);
    });

    test('the chat works again without a reload after its server was killed and restarted', async (t) => {
      const { program, port } = await runExample(t, 'chat/server.ts');
      const page = await DemoPage.open(browser, `http://127.0.0.1:${port}/`);
      // Not checked for errors, since a browser reports each failed request.
      t.after(() => page.tab.close());
      await page.submit('#join', 'Ann');
      await page.shows('#people', 'In the room: Ann');
      await program.stop('SIGKILL');
      await page.shows('.status', 'Reconnecting: ');
      await page.shows('#log', 'You left');
      await runExample(t, 'chat/server.ts', { PORT: String(port) });
      await page.shows('#people', 'In the room: Ann');
      await page.shows('.status', 'Connected by websocket');
      await page.submit('#send', 'here again');
      await page.shows('#log', 'Ann: here again');
    });

    test('the other pages go on without a reload after a restart', async (t) => {
      const { program, port } = await runExample(t, 'index.ts');
      const open = async (path: string): Promise<DemoPage> => {
        const page = await DemoPage.open(browser, `http://127.0.0.1:${port}/${path}`);
        t.after(() => page.tab.close());
        await page.shows('.status', 'Connected by');
        return page;
      };
      const echo = await open('echo.html');
      const channels = await open('multiplex.html');
      const stats = await open('stats.html?transport=xhr-polling');
      const pages = [echo, channels, stats];
      await stats.until("document.querySelectorAll('#counters td').length > 0");
      program.kill('SIGTERM');
      assert.deepEqual(await program.exited(), { code: 0, signal: null });
      for (const page of pages) await page.shows('.status', 'Reconnecting: ');
      await stats.tab.evaluate("document.querySelector('#counters').tHead.replaceChildren()");

      await runExample(t, 'index.ts', { PORT: String(port) });
      for (const page of pages) await page.shows('.status', 'Connected by');
      await echo.submit('#send', 'again');
      await echo.shows('#log', '← again (');
      await channels.submit('[data-channel="shout"] form', 'again');
      await channels.shows('[data-channel="shout"] .log', 'AGAIN');
      await stats.shows('#counters thead', '/echo');
    });

    test('closing a tab leaves the chat', async (t) => {
      const ann = await openPage(t, 'chat.html');
      await ann.submit('#join', 'Ann');
      const bob = await DemoPage.open(browser, `${url}chat.html`);
      await bob.submit('#join', 'Bob');
      await ann.shows('#log', 'Bob joined');
      await bob.close();
      await ann.shows('#log', 'Bob left');
    });

    test('each channel shows its own messages, and stays open when another one is left', async (t) => {
      const page = await openPage(t, 'multiplex.html');
      const [shout, room, clock] = ['shout', 'room', 'clock'].map(
        (name) => `[data-channel="${name}"]`,
      );
      await page.shows(`${clock} .log`, 'Z');
      await page.submit(`${shout} form`, 'quiet');
      await page.shows(`${shout} .log`, 'QUIET');
      await page.submit(`${room} form`, 'hello');
      await page.shows(`${room} .log`, ': hello');
      await page.click(`${room} .toggle`);
      await page.shows(`${room} .log`, 'Left: ');
      await page.until(`document.querySelector('${room} form input').matches(':disabled')`);
      await page.submit(`${shout} form`, 'still here');
      await page.shows(`${shout} .log`, 'STILL HERE');
      await page.click(`${room} .toggle`);
      await page.submit(`${room} form`, 'back again');
      await page.shows(`${room} .log`, ': back again');
      assert.doesNotMatch(await page.text(`${shout} .log`), /hello|back again/);
      assert.match(await page.text(`${clock} .log`), /^Joined(\s+\d{4}-\d\d-\d\dT[\d:.]+Z)+\s*$/);
    });

    test('the plots and the table of the statistics follow new messages', async (t) => {
      const page = await openPage(t, 'stats.html');
      await page.until("document.querySelectorAll('#plots canvas').length === 4");
      await page.until("document.querySelectorAll('#counters td').length > 0");
      const picture = "document.querySelector('#plots canvas').toDataURL()";
      const pictureBefore = await page.tab.evaluate(picture);
      const total = `Number(document.querySelectorAll('#plots .u-legend')[0].querySelectorAll('.u-value')[2].textContent)`;
      const sender = await openPage(t, 'echo.html');
      const earlier = Number(await page.tab.evaluate(total));
      for (let count = 1; count <= 10; count += 1) await sender.submit('#send', `message ${count}`);
      await page.until(`${total} > ${earlier}`);
      assert.notEqual(await page.tab.evaluate(picture), pictureBefore);
      const echo =
        "[...document.querySelectorAll('#counters thead th')].findIndex((cell) => cell.textContent === '/echo')";
      const rows = "[...document.querySelectorAll('#counters tr')]";
      const row = `${rows}.find(({ cells }) => cells[0].textContent === 'from clients')`;
      await page.until(`Number(${row}.cells[${echo}].textContent) > 0`);
    });

    for (const { path, title } of PAGES) {
      test(`${title}: the page is not wider than its window`, async (t) => {
        const page = await openPage(t, path);
        if (path !== '') await page.shows('.status', 'Connected by');
        for (const [width, height] of SIZES) {
          await page.tab.resize(width, height);
          await page.until(
            `innerWidth ${width < NARROW_WIDTH ? `< ${NARROW_WIDTH}` : `=== ${width}`}`,
          );
          await page.until('document.documentElement.scrollWidth <= innerWidth');
        }
      });
    }

    test('the chat works by keyboard with a visible focus', async (t) => {
      const page = await openPage(t, 'chat.html');
      await page.usable('#name');
      const toName = await tabTo(page, 'name');
      assert.ok(toName.has('name'));
      await page.tab.type('Kay');
      await page.tab.press('Enter');
      await page.shows('#log', 'Kay joined');
      // The field for messages has the focus now.
      await page.tab.type('no mouse');
      await page.tab.press('Enter');
      await page.shows('#log', 'Kay: no mouse');
      // Without a window manager the MiniBrowser is never the active window, so it shows no focus.
      if (engine !== 'WebKit')
        assert.deepEqual(
          [...toName].filter(([, isVisible]) => !isVisible),
          [],
        );
    });
  });
}
