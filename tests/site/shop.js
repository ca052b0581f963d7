// The Shop's page as a customer uses it, in headless Chromium: node shop.js PROJECT URL CHROMIUM.
// Buys a marlin spike with a card that is accepted, then tries with one that is declined; prints as
// one line of JSON what the page said and what it complained of.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [project, url, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(join(project, 'apps/frontend/package.json'))('playwright-core');
// A busy machine is no fault.
const PATIENCE = 30_000;
const WARE = 'Marlin spike';

// As root, Chromium has no sandbox; what it opens is the page alone.
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-proxy-server'], timeout: PATIENCE });
const said = { complaints: [], elsewhere: [] };
try {
  const page = await browser.newPage({ locale: 'en-GB' });
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (error) => said.complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) said.elsewhere.push(request.url());
  });

  await page.goto(`${url}/shop/`);
  await page.getByRole('link', { name: `Order ${WARE}` }).click();
  await page.getByRole('heading', { level: 1, name: `Order: ${WARE}` }).waitFor();
  await page.getByRole('button', { name: 'Place order' }).click();
  const placed = page.getByRole('heading', { level: 1, name: /^Order \d+ is placed$/ });
  await placed.waitFor();
  said.number = Number((await placed.textContent()).match(/\d+/)[0]);
  said.id = page.url().split('/').pop();

  await page.goto(`${url}/shop/#/order/marlin-spike`);
  await page.getByRole('heading', { level: 1, name: `Order: ${WARE}` }).waitFor();
  await page.getByRole('radio', { name: '4000 0000 0000 0002' }).check();
  await page.getByRole('button', { name: 'Place order' }).click();
  said.declined = await page.getByRole('alert').textContent();
  said.placed = await placed.count();
} finally {
  await browser.close();
}
console.log(JSON.stringify(said));
