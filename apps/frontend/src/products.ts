// The list of products.
import { type Product, listProducts } from './api';
import { h, heading, problem, say } from './dom';
import { shown } from './money';

function stockOf({ stock }: Product): HTMLElement {
  return h('p', { class: stock < 10 ? 'stock few' : 'stock' }, stock < 10 ? `Only ${stock} left` : `${stock} in stock`);
}

const card = (product: Product): HTMLElement =>
  h(
    'li',
    { class: 'product' },
    h('h2', {}, product.name),
    h('p', { class: 'description' }, product.description),
    h('div', { class: 'offer' }, h('p', { class: 'price' }, shown(product.price, product.currency)), product.stock > 0 && stockOf(product)),
    product.stock > 0
      ? h('a', { class: 'button', href: `#/order/${product.sku}` }, 'Order', h('span', { class: 'unseen' }, ` ${product.name}`))
      : h('span', { class: 'button gone' }, 'Sold out'),
  );

/** Fills `view` with the products, a page at a time. Throws Refusal if there is no first page. */
export async function products(view: HTMLElement): Promise<void> {
  const list = h('ul', { class: 'products' });
  const rest = h('div', { class: 'rest' });
  const add = async (after: string): Promise<void> => {
    const page = await listProducts(after);
    const cards = page.products.map(card);
    list.append(...cards);
    rest.replaceChildren();
    if (page.next !== null) rest.append(h('button', { type: 'button', class: 'quiet', click: () => void more(page.next!) }, 'Show more'));
    say(`${list.children.length} products are shown.`);
    // The button that had the focus is gone.
    if (after) cards[0]?.querySelector('a')?.focus();
  };
  const more = async (after: string): Promise<void> => {
    try {
      await add(after);
    } catch (error) {
      rest.replaceChildren(problem((error as Error).message, () => void more(after)));
    }
  };
  await add('');
  view.replaceChildren(
    heading('For the deck and the quay'),
    list.children.length > 0 ? list : h('p', {}, 'There is nothing to sell today.'),
    rest,
  );
}
