/** The demo site, clicked through in one browser as a person would. */
import assert from 'node:assert/strict';
import { type TestContext, after, before, suite, test } from 'node:test';
import { Program } from '../../test/examples/program.ts';
import { DemoPage } from './demo-page.ts';
import { type Browser, type EngineName, openBrowser } from './engines.ts';

const PAGES = [
  { path: '', title: 'sockjs-server examples' },
  { path: 'echo.html', title: 'Echo · sockjs-server' },
  { path: 'chat.html', title: 'Chat · sockjs-server' },
  { path: 'multiplex.html', title: 'Multiplex · sockjs-server' },
  { path: 'stats.html', title: 'Statistics · sockjs-server' },
];

const TRANSPORTS = [
  'websocket',
  'xhr-streaming',
  'eventsource',
  'iframe-eventsource',
  'xhr-polling',
  'iframe-xhr-polling',
];

const SIZES = [
  [390, 844],
  [1280, 900],
] as const;

/** Where the style for narrow windows begins. */
const PHONE = 480;

/** What has the focus, and whether a person can see that it has. */
const FOCUSED = `(() => {
  const { activeElement: focused } = document;
  const { outlineStyle, outlineWidth } = getComputedStyle(focused);
  return JSON.stringify([focused.id || focused.className || focused.localName,
    focused === document.body || (outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2)]);
})()`;

/** Goes on with Tab until the field has the focus. @returns all that had it on the way, and whether that was seen */
async function tabTo(page: DemoPage, id: string): Promise<Map<string, boolean>> {
  const seen = new Map<string, boolean>();
  for (let step = 0; step < 10 && !seen.has(id); step += 1) {
    await page.tab.press('Tab');
    const focused: unknown = JSON.parse(String(await page.tab.evaluate(FOCUSED)));
    assert.ok(Array.isArray(focused));
    seen.set(String(focused[0]), focused[1] === true);
  }
  return seen;
}

export function testDemo(engine: EngineName): void {
  suite(`the demo site in ${engine}`, () => {
    const site = new Program('index.ts');
    let browser: Browser;
    let url = '';

    before(async () => {
      url = `http://127.0.0.1:${await site.port()}/`;
      browser = await openBrowser(engine);
    });

    after(async () => {
      await browser.end();
      site.kill('SIGTERM');
      assert.deepEqual(await site.exited(), { code: 0, signal: null });
      assert.equal(site.stderr, '');
    });

    /** A page that is left with the test, and must have had no error until then. */
    async function visit(t: TestContext, path: string): Promise<DemoPage> {
      const page = await DemoPage.open(browser, url + path);
      t.after(() => page.leave());
      return page;
    }

    test('the home page leads to every example, and each back', async (t) => {
      const page = await visit(t, '');
      for (const { path, title } of PAGES.slice(1)) {
        await page.click(`.cards a[href="${path}"]`);
        await page.until(`document.title === '${title}' && document.readyState === 'complete'`);
        await page.click('nav a');
        await page.until("document.querySelector('.cards') && document.readyState === 'complete'");
      }
    });

    for (const transport of TRANSPORTS) {
      test(`an echo comes back by ${transport}, and the page says so`, async (t) => {
        const page = await visit(t, 'echo.html');
        await page.shows('.status', 'Connected by');
        await page.choose(transport);
        await page.shows('.status', `Connected by ${transport}`);
        await page.say('#say', '<b>hello</b>');
        await page.shows('#log', '← <b>hello</b> (');
        assert.match(
          await page.text('#log'),
          /^→ <b>hello<\/b>\n+← <b>hello<\/b> \(\d+\.\d ms\)\s*$/,
        );
      });
    }

    test('the choice of the transport stands in the address', async (t) => {
      const page = await visit(t, 'echo.html?transport=xhr-polling');
      await page.shows('.status', 'Connected by xhr-polling');
      await page.choose('xhr-streaming');
      await page.shows('.status', 'Connected by xhr-streaming');
      await page.until("location.search === '?transport=xhr-streaming'");
    });

    test('who disconnects can send nothing until he connects again', async (t) => {
      const page = await visit(t, 'echo.html');
      await page.shows('.status', 'Connected by websocket');
      await page.click('#connection button');
      await page.shows('.status', 'Not connected: Normal closure (1000)');
      await page.until("document.querySelector('#text').matches(':disabled')");
      await page.click('#connection button');
      await page.say('#say', 'again');
      await page.shows('#log', '← again (');
    });

    test('in the chat two tabs see who comes, what is said and who goes', async (t) => {
      const ann = await visit(t, 'chat.html');
      await ann.say('#join', 'Ann');
      await ann.shows('#people', 'In the room: Ann');
      const bob = await visit(t, 'chat.html?transport=xhr-streaming');
      await bob.say('#join', 'Bob');
      await bob.shows('#people', 'In the room: Ann, Bob');
      await ann.shows('#log', 'Bob joined');
      await bob.say('#say', 'hello Ann');
      await ann.shows('#log', 'Bob: hello Ann');
      await ann.say('#say', 'hello Bob');
      await bob.shows('#log', 'Ann: hello Bob');
      await bob.click('#connection button');
      await ann.shows('#log', 'Bob left');
      await ann.shows('#people', 'In the room: Ann');
      assert.doesNotMatch(await ann.text('#people'), /Bob/);
    });

    test('in the chat a tab that is closed has left', async (t) => {
      const ann = await visit(t, 'chat.html');
      await ann.say('#join', 'Ann');
      const bob = await DemoPage.open(browser, `${url}chat.html`);
      await bob.say('#join', 'Bob');
      await ann.shows('#log', 'Bob joined');
      await bob.leave();
      await ann.shows('#log', 'Bob left');
    });

    test('each channel says its own, and goes on when another is left', async (t) => {
      const page = await visit(t, 'multiplex.html');
      const [shout, room, clock] = ['shout', 'room', 'clock'].map(
        (name) => `[data-channel="${name}"]`,
      );
      await page.shows(`${clock} .log`, 'Z');
      await page.say(`${shout} form`, 'quiet');
      await page.shows(`${shout} .log`, 'QUIET');
      await page.say(`${room} form`, 'hello');
      await page.shows(`${room} .log`, ': hello');
      await page.click(`${room} .toggle`);
      await page.shows(`${room} .log`, 'Left: ');
      await page.until(`document.querySelector('${room} form input').matches(':disabled')`);
      await page.say(`${shout} form`, 'still here');
      await page.shows(`${shout} .log`, 'STILL HERE');
      await page.click(`${room} .toggle`);
      await page.say(`${room} form`, 'back again');
      await page.shows(`${room} .log`, ': back again');
      assert.doesNotMatch(await page.text(`${shout} .log`), /hello|back again/);
      assert.match(await page.text(`${clock} .log`), /^Joined(\s+\d{4}-\d\d-\d\dT[\d:.]+Z)+\s*$/);
    });

    test('the plots and the table of the statistics move when somebody talks', async (t) => {
      const page = await visit(t, 'stats.html');
      await page.until("document.querySelectorAll('#plots canvas').length === 4");
      await page.until("document.querySelectorAll('#counters td').length > 0");
      const picture = "document.querySelector('#plots canvas').toDataURL()";
      const pictureBefore = await page.tab.evaluate(picture);
      const total = `Number(document.querySelectorAll('#plots .u-legend')[0].querySelectorAll('.u-value')[2].textContent)`;
      const talker = await visit(t, 'echo.html');
      const had = Number(await page.tab.evaluate(total));
      for (let count = 1; count <= 10; count += 1) await talker.say('#say', `message ${count}`);
      await page.until(`${total} > ${had}`);
      assert.notEqual(await page.tab.evaluate(picture), pictureBefore);
      const echo =
        "[...document.querySelectorAll('#counters thead th')].findIndex((cell) => cell.textContent === '/echo')";
      const rows = "[...document.querySelectorAll('#counters tr')]";
      const row = `${rows}.find(({ cells }) => cells[0].textContent === 'from clients')`;
      await page.until(`Number(${row}.cells[${echo}].textContent) > 0`);
    });

    for (const { path, title } of PAGES) {
      test(`${title}: never wider than its window`, async (t) => {
        const page = await visit(t, path);
        if (path !== '') await page.shows('.status', 'Connected by');
        for (const [width, height] of SIZES) {
          await page.tab.resize(width, height);
          await page.until(`innerWidth ${width < PHONE ? `< ${PHONE}` : `=== ${width}`}`);
          await page.until('document.documentElement.scrollWidth <= innerWidth');
        }
      });
    }

    test('the keyboard is enough, and its focus is seen', async (t) => {
      const page = await visit(t, 'chat.html');
      await page.usable('#name');
      const toName = await tabTo(page, 'name');
      assert.ok(toName.has('name'));
      await page.tab.type('Kay');
      await page.tab.press('Enter');
      await page.shows('#log', 'Kay joined');
      // The field has the focus now.
      await page.tab.type('no mouse');
      await page.tab.press('Enter');
      await page.shows('#log', 'Kay: no mouse');
      // Without a window manager the MiniBrowser never is the window in use, whose focus is shown.
      if (engine !== 'WebKit')
        assert.deepEqual(
          [...toName].filter(([, seen]) => !seen),
          [],
        );
    });
  });
}
