// The Shop in a real browser: the built page, the real services, a real PostgreSQL.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { newDatabase, orderProcess, productService, wait } from '../../order/tests/parts.js';
import { frontDoor } from './front_door.js';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const EVIDENCE = process.env.TEST_EVIDENCE || fileURLToPath(new URL('../../../.drydock/evidence/shop', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// A busy test machine is no fault.
const PATIENCE = 60_000;
let database, product, order, door, browser, page;
const complaints = [];

before(async () => {
  const executablePath = process.env.TEST_CHROMIUM || '/usr/bin/chromium';
  assert.ok(existsSync(executablePath), `There is no ${executablePath}: run make apps-test, or name a Chromium in TEST_CHROMIUM.`);
  mkdirSync(EVIDENCE, { recursive: true });
  database = await newDatabase();
  product = await productService(database.environment);
  order = await orderProcess({ ...database.environment, PRODUCT_URL: product.url });
  await order.service.serving(order.url);
  door = await frontDoor({ '/api/product': new URL(product.url).origin, '/api/order': order.url });
  // As root, Chromium has no sandbox; what it opens is the page above alone.
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-proxy-server'], timeout: PATIENCE });
  const context = await browser.newContext({ viewport: { width: 1100, height: 820 }, locale: 'en-GB' });
  context.setDefaultTimeout(PATIENCE);
  page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  // What the server refused is logged too; that is not the page's fault.
  page.on('console', (line) => {
    if (line.type() === 'error' && !line.text().startsWith('Failed to load resource')) complaints.push(line.text());
  });
});

after(async () => {
  await browser?.close();
  door?.close();
  await order?.service.stop();
  await product?.service.stop();
  await database?.drop();
});

const screenshot = (name) => page.screenshot({ path: join(EVIDENCE, `${name}.png`), fullPage: true });
const orders = () => database.sql('SELECT * FROM shop_order.orders ORDER BY number');
const stock = async (sku) => (await database.sql('SELECT stock FROM product.products WHERE sku = $1', sku))[0].stock;
const heading = (name) => page.getByRole('heading', { level: 1, name }).waitFor();

/** What axe-core finds wrong with the page as it is now. */
async function barriers() {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Presses Tab until what has the focus is called `name`. */
async function tabTo(name) {
  for (let press = 0; press < 40; press += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      return element.labels?.[0]?.textContent ?? element.textContent;
    });
    if (focused.startsWith(name)) return;
  }
  assert.fail(`the keyboard doesn't come to ${name}`);
}

/** Fills the form of a product and sends it off. */
async function placeInForm(sku, card) {
  await page.goto(`${door.url}/shop/#/order/${sku}`);
  await page.getByRole('radio', { name: card }).check();
  await page.getByRole('button', { name: 'Place order' }).click();
}

test('the page is small', () => {
  const files = readdirSync(DIST, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.map((entry) => gzipSync(readFileSync(join(entry.parentPath ?? entry.path, entry.name))).length);
  const sum = bytes.reduce((left, right) => left + right, 0);
  assert.ok(sum > 1000 && sum < 20_000, `${sum} bytes gzipped`);
  assert.match(door.headers['Content-Security-Policy'], /^default-src 'none'/);
});

test('an order is placed with the keyboard alone', async () => {
  await page.goto(`${door.url}/shop/`);
  await page.getByRole('heading', { name: 'Brass compass' }).waitFor();
  assert.equal(await page.getByRole('listitem').count(), 6);
  assert.equal(await page.getByText('Sold out').count(), 1);
  assert.deepEqual(await barriers(), []);
  await screenshot('products');

  await tabTo('Order Brass compass');
  await page.keyboard.press('Enter');
  await heading('Order: Brass compass');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
  await tabTo('Quantity');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('0');
  await page.keyboard.press('Enter');
  await page.getByText('Give a whole number from 1 to 25.').waitFor();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('2');
  assert.equal(await page.locator('form output').textContent(), '€96.00');
  assert.deepEqual(await barriers(), []);
  await screenshot('form');
  await tabTo('Place order');
  await page.keyboard.press('Enter');

  await heading('Order 1001 is placed');
  const [row] = await orders();
  assert.deepEqual(
    [row.state, row.sku, row.quantity, row.amount, row.card_last4],
    ['paid', 'brass-compass', 2, '96.00', '4242'],
  );
  assert.equal(await stock('brass-compass'), 23);
  const text = await page.getByRole('main').innerText();
  for (const fact of ['Brass compass', '€96.00', 'ending in 4242', row.id]) assert.ok(text.includes(fact), text);
  assert.equal(await page.title(), 'Order 1001 is placed · Drydock Shop');
  assert.deepEqual(await barriers(), []);
  await screenshot('placed');
  // The address is the order's: whoever loads it again sees it again.
  await page.reload();
  await heading('Order 1001 is placed');
});

test('a declined payment says so, gives the stock back, and another card helps', async () => {
  await placeInForm('deck-lamp', '4000 0000 0000 0002');
  await page.getByRole('alert').getByText('The card was declined. Try another card.').waitFor();
  assert.deepEqual(await barriers(), []);
  await screenshot('declined');
  assert.equal((await orders()).at(-1).state, 'declined');
  assert.equal(await stock('deck-lamp'), 40);
  await page.getByRole('radio', { name: '4242' }).check();
  await page.getByRole('button', { name: 'Place order' }).click();
  await heading(/^Order \d+ is placed$/);
  assert.equal(await stock('deck-lamp'), 39);
});

test('an answer that is lost is asked for again, and nothing is ordered twice', async () => {
  const before = (await orders()).length;
  await page.route('**/api/order/orders', async (route) => {
    await route.fetch();
    await route.abort();
  }, { times: 1 });
  await placeInForm('marlin-spike', '4242');
  await page.getByRole('alert').getByText('The Shop did not answer.').waitFor();
  await wait(async () => (await orders()).at(-1).state === 'paid', 'the order to be paid');
  await screenshot('no-answer');
  await tabTo('Try again');
  await page.keyboard.press('Enter');
  await heading(/^Order \d+ is placed$/);
  assert.equal((await orders()).length, before + 1);
  assert.equal(await stock('marlin-spike'), 59);
});

test('what is sold out meanwhile, and what is not there, is told', async () => {
  await page.goto(`${door.url}/shop/#/order/oilskin-coat`);
  await heading('Order: Oilskin coat');
  await database.sql("UPDATE product.products SET stock = 0 WHERE sku = 'oilskin-coat'");
  await page.getByRole('button', { name: 'Place order' }).click();
  await page.getByRole('alert').getByText('There are not that many left. Nothing was charged.').waitFor();
  await page.goto(`${door.url}/shop/#/order/none`);
  await heading('That did not work');
  await page.getByText("There is no product 'none'").waitFor();
});

test('it fits a telephone, and the dark', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  for (const [address, name] of [['#/', 'For the deck and the quay'], ['#/order/canvas-bag', 'Order: Canvas sea bag']]) {
    await page.goto(`${door.url}/shop/${address}`);
    await heading(name);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `${address} is ${wide} wide`);
    assert.deepEqual(await barriers(), []);
  }
  await screenshot('telephone-dark');
});

test('the page never complained', () => assert.deepEqual(complaints, []));
