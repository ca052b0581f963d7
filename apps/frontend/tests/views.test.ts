// The views, with stand-ins for the services' answers; end_to_end.js has the real ones.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Refusal, listProducts, newKey, placeOrder } from '../src/api';
import { shown, times } from '../src/money';

const LAMP = { sku: 'lamp', name: 'Lamp <b>', description: 'Burns.', price: '34.90', currency: 'EUR', stock: 5 };
const PLACED = { id: 'o-1', number: 1001, sku: 'lamp', quantity: 3, card_last4: '4242', state: 'paid', amount: '104.70', currency: 'EUR' };
type Answer = [status: number, body: unknown] | 'lost';
const answers = vi.fn<(path: string, options: RequestInit) => Answer>();

const main = () => document.getElementById('main')!;
const title = () => main().querySelector('h1')?.textContent;

/** Loads the page anew at an address. */
async function open(hash: string): Promise<void> {
  vi.resetModules();
  document.body.innerHTML = '<main id="main"></main><div id="status" role="status"></div>';
  location.hash = hash;
  await import('../src/main');
  await vi.waitFor(() => expect(title()).toBeTruthy());
}

beforeEach(() => {
  answers.mockReset();
  vi.stubGlobal('scrollTo', () => {});
  vi.stubGlobal('fetch', async (path: string, options: RequestInit) => {
    const answer = answers(path, options);
    if (answer === 'lost') throw new TypeError('lost');
    return new Response(JSON.stringify(answer[1]), { status: answer[0] });
  });
});
afterEach(() => vi.unstubAllGlobals());

test('amounts are counted in cents', () => {
  expect(times('0.10', 3)).toBe('0.30');
  expect(times('34.90', 3)).toBe('104.70');
  expect(shown('104.70', 'EUR')).toBe('€104.70');
  expect(newKey()).toMatch(/^[0-9a-f]{32}$/);
});

test.each([
  [[404, { error: { code: 'unknown', message: 'Not there.' } }], 'Not there.', false],
  [[418, {}], 'The Shop refused this (418).', false],
  [[503, { error: { code: 'x', message: 'internals' } }], 'The Shop cannot serve this right now. Try again in a moment.', true],
  ['lost', 'The Shop did not answer. Check your connection and try again.', true],
] as [Answer, string, boolean][])('what goes wrong has a sentence: %j', async (answer, message, again) => {
  answers.mockReturnValue(answer);
  const error = await listProducts().catch((problem: Refusal) => problem);
  expect(error).toMatchObject({ message, again });
  await expect(placeOrder({ sku: 'lamp', quantity: 1, card: '' }, 'k')).rejects.toThrow(message);
});

test('products come by pages; text stays text', async () => {
  answers.mockReturnValueOnce([200, { products: [LAMP, { ...LAMP, sku: 'm', stock: 50 }], next: 'm' }]);
  await open('#/');
  expect(main().querySelector('h2')!.textContent).toBe('Lamp <b>');
  expect([...main().querySelectorAll('.stock')].map((stock) => stock.textContent)).toEqual(['Only 5 left', '50 in stock']);
  answers.mockReturnValueOnce([503, {}]);
  main().querySelector<HTMLButtonElement>('.rest button')!.click();
  await vi.waitFor(() => expect(main().querySelector('[role=alert]')).toBeTruthy());
  answers.mockReturnValueOnce([200, { products: [{ ...LAMP, sku: 'z', stock: 0 }], next: null }]);
  main().querySelector<HTMLButtonElement>('.rest button')!.click();
  await vi.waitFor(() => expect(main().querySelectorAll('.product')).toHaveLength(3));
  expect(main().querySelector('.rest')!.textContent).toBe('');
  expect(answers.mock.lastCall![0]).toContain('after=m');
});

test('a shop without products says so; one that is away can be tried again', async () => {
  answers.mockReturnValueOnce('lost');
  await open('#/');
  expect(title()).toBe('That did not work');
  answers.mockReturnValueOnce([200, { products: [], next: null }]);
  main().querySelector<HTMLButtonElement>('button')!.click();
  await vi.waitFor(() => expect(main().textContent).toContain('There is nothing to sell today.'));
});

test('a form sends one key again until the wish changes', async () => {
  answers.mockImplementation((path, { method }) => (method !== 'POST' ? [200, path.includes('order') ? PLACED : LAMP] : 'lost'));
  await open('#/order/lamp');
  const form = main().querySelector('form')!;
  const quantity = form.querySelector<HTMLInputElement>('#quantity')!;
  const submit = () => form.dispatchEvent(new Event('submit', { cancelable: true }));
  const type = (value: string) => { quantity.value = value; quantity.dispatchEvent(new Event('input', { bubbles: true })); };
  const keys = () => answers.mock.calls.filter(([, { method }]) => method === 'POST').map(([, { headers }]) => (headers as Record<string, string>)['Idempotency-Key']);
  const alert = () => form.querySelector('[role=alert]');

  for (const wrong of ['0', '6', '1.5', '']) {
    type(wrong);
    submit();
    expect(quantity.getAttribute('aria-invalid')).toBe('true');
  }
  expect(keys()).toHaveLength(0);
  type('3');
  expect(quantity.hasAttribute('aria-invalid')).toBe(false);
  expect(form.querySelector('output')!.textContent).toBe('€104.70');

  submit();
  submit(); // while the first is under way
  await vi.waitFor(() => expect(alert()?.textContent).toContain('did not answer'));
  alert()!.querySelector('button')!.click();
  await vi.waitFor(() => expect(keys()).toHaveLength(2));
  await vi.waitFor(() => expect(alert()).toBeTruthy());
  expect(keys()[1]).toBe(keys()[0]);

  const refusal = { error: { code: 'card_declined', message: 'The card was declined.' } };
  answers.mockImplementation((path, { method }) => (method === 'POST' ? [402, refusal] : [200, path.includes('order') ? PLACED : LAMP]));
  submit();
  await vi.waitFor(() => expect(alert()?.textContent).toBe('The card was declined.'));
  expect(keys()[2]).toBe(keys()[0]);
  answers.mockImplementation((path) => [200, path.includes('order') ? PLACED : LAMP]);
  submit();
  await vi.waitFor(() => expect(location.hash).toBe('#/orders/o-1'));
  expect(keys()[3]).not.toBe(keys()[0]);
});

test('what is sold out has no form', async () => {
  answers.mockReturnValue([200, { ...LAMP, stock: 0 }]);
  await open('#/order/lamp');
  expect(main().querySelector('form')).toBeNull();
  expect(main().querySelector('[role=alert]')!.textContent).toBe('This is sold out.');
});

test('an order is told, also when its product is gone', async () => {
  answers.mockImplementation((path) => (path.includes('order') ? [200, { ...PLACED, state: 'declined', amount: null }] : [404, {}]));
  await open('#/orders/o-1');
  expect(title()).toBe('Order 1001 was declined');
  expect([...main().querySelectorAll('dd')].map((fact) => fact.textContent)).toEqual(['lamp', '3', 'test card ending in 4242', '–', 'o-1']);
});
