// The order form of one product.
import { type Product, Refusal, getProduct, newKey, placeOrder } from './api';
import { h, heading, problem, say } from './dom';
import { shown, times } from './money';

const CARDS = [
  ['4242 4242 4242 4242', 'is accepted'],
  ['4000 0000 0000 0002', 'is declined'],
  ['4000 0000 0000 9995', 'has too little money'],
] as const;

function quantityField(most: number): [HTMLElement, HTMLInputElement, HTMLElement] {
  const input = h('input', {
    id: 'quantity', name: 'quantity', type: 'number', inputmode: 'numeric', min: 1, max: most, step: 1, value: 1,
    required: true, 'aria-describedby': 'quantity-hint quantity-problem',
  });
  const wrong = h('p', { id: 'quantity-problem', class: 'wrong' });
  const field = h(
    'div',
    { class: 'field' },
    h('label', { for: 'quantity' }, 'Quantity'),
    input,
    h('p', { id: 'quantity-hint', class: 'hint' }, `1 to ${most}`),
    wrong,
  );
  return [field, input, wrong];
}

const cardField = (): HTMLElement =>
  h(
    'fieldset',
    {},
    h('legend', {}, 'Test card'),
    ...CARDS.map(([number, what], index) =>
      h(
        'label',
        { class: 'card' },
        h('input', { type: 'radio', name: 'card', value: number, checked: index === 0 }),
        h('span', {}, h('b', {}, number), ' ', h('span', { class: 'hint' }, what)),
      ),
    ),
  );

/** The form's wiring: one key for one wish, however often it has to be sent. */
class Form {
  private key = newKey();
  private readonly alert = h('div');
  private readonly submit = h('button', { type: 'submit' }, 'Place order');
  private readonly total = h('output', { for: 'quantity', class: 'price' });
  private readonly form: HTMLFormElement;
  private readonly quantity: HTMLInputElement;
  private readonly wrong: HTMLElement;

  constructor(
    private readonly product: Product,
    private readonly most: number,
    private readonly placed: (id: string) => void,
  ) {
    const [field, input, wrong] = quantityField(most);
    this.quantity = input;
    this.wrong = wrong;
    this.form = h(
      'form',
      // The browser's own bubbles are not read out everywhere, and say nothing of stock.
      { novalidate: true, input: () => this.changed(), submit: (event) => void this.send(event) },
      field,
      cardField(),
      h('p', { class: 'total' }, 'Total ', this.total),
      this.alert,
      h('div', { class: 'actions' }, this.submit, h('a', { href: '#/', class: 'back' }, 'Back to the products')),
    );
    this.changed();
  }

  get element(): HTMLElement {
    return this.form;
  }

  private count(): number | undefined {
    const count = Number(this.quantity.value);
    return Number.isInteger(count) && count >= 1 && count <= this.most ? count : undefined;
  }

  private changed(): void {
    // Another body is another wish.
    this.key = newKey();
    const count = this.count();
    this.total.textContent = count ? shown(times(this.product.price, count), this.product.currency) : '–';
    if (count) this.mark('');
  }

  private mark(text: string): void {
    this.wrong.textContent = text;
    this.quantity.toggleAttribute('aria-invalid', !!text);
    if (text) this.quantity.setAttribute('aria-invalid', 'true');
  }

  private async send(event?: Event): Promise<void> {
    event?.preventDefault();
    const quantity = this.count();
    if (!quantity) {
      this.mark(`Give a whole number from 1 to ${this.most}.`);
      this.quantity.focus();
      return;
    }
    if (this.submit.getAttribute('aria-disabled') === 'true') return;
    const card = String(new FormData(this.form).get('card'));
    this.busy(true);
    try {
      const order = await placeOrder({ sku: this.product.sku, quantity, card }, this.key);
      this.placed(order.id);
    } catch (error) {
      this.refused(error);
    } finally {
      this.busy(false);
    }
  }

  private refused(error: unknown): void {
    if (!(error instanceof Refusal)) throw error;
    say('');
    // Refused for good, so the next try is a new wish; else the same key goes out again.
    if (!error.again) this.key = newKey();
    this.alert.replaceChildren(problem(error.message, error.again ? () => void this.send() : undefined));
  }

  // aria-disabled, not disabled: a button that is disabled loses the keyboard's focus.
  private busy(now: boolean): void {
    this.submit.setAttribute('aria-disabled', String(now));
    this.submit.textContent = now ? 'Placing order …' : 'Place order';
    if (!now) return;
    // "Try again" goes away; the keyboard stays in the form.
    if (this.alert.contains(document.activeElement)) this.submit.focus();
    this.alert.replaceChildren();
    say('Your order is being placed.');
  }
}

/** Fills `view` with the form. Throws Refusal if the product can't be had. */
export async function order(view: HTMLElement, sku: string, placed: (id: string) => void): Promise<void> {
  const product = await getProduct(sku);
  const most = Math.min(product.stock, 100);
  view.replaceChildren(
    heading(`Order: ${product.name}`),
    h('p', { class: 'description' }, product.description),
    h('p', {}, h('span', { class: 'price' }, shown(product.price, product.currency)), ' each'),
    most > 0
      ? new Form(product, most, placed).element
      : h('div', {}, problem('This is sold out.'), h('a', { href: '#/' }, 'Back to the products')),
  );
}
