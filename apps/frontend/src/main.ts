// Which view the address asks for: #/ the products, #/order/<sku> the form, #/orders/<id> an order.
import { h, heading, problem, say } from './dom';
import { order } from './order';
import { products } from './products';
import { result } from './result';

const main = document.getElementById('main')!;
let shownLast = 0;

function fill(view: HTMLElement, address: string): Promise<void> {
  const [, kind, word = ''] = address.replace(/^#/, '').split('/').map(decodeURIComponent);
  if (kind === 'order') return order(view, word, (id) => { location.hash = `#/orders/${id}`; });
  if (kind === 'orders') return result(view, word);
  return products(view);
}

async function show(first = false): Promise<void> {
  const turn = ++shownLast;
  // A container of its own: a view that comes late can't write over the one after it.
  const view = h('div', { class: 'view' });
  main.setAttribute('aria-busy', 'true');
  say('Loading.');
  try {
    await fill(view, location.hash);
    if (turn === shownLast && !/^#?\/?$/.test(location.hash)) say('');
  } catch (error) {
    view.replaceChildren(
      heading('That did not work'),
      problem((error as Error).message, () => void show()),
      h('p', {}, h('a', { href: '#/' }, 'To the products')),
    );
  }
  if (turn !== shownLast) return;
  main.replaceChildren(view);
  main.removeAttribute('aria-busy');
  const title = view.querySelector('h1')!;
  document.title = `${title.textContent} · Drydock Shop`;
  if (!first) {
    window.scrollTo(0, 0);
    title.focus({ preventScroll: true });
  }
}

window.addEventListener('hashchange', () => {
  // The skip link's target is a place on the page, not a view.
  if (location.hash === '#main') main.focus();
  else void show();
});
void show(true);
