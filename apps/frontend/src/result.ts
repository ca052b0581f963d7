// What became of an order.
import { type Order, getOrder, getProduct } from './api';
import { h, heading } from './dom';
import { shown } from './money';

const HEADINGS: Record<Order['state'], string> = {
  pending: 'is under way',
  reserved: 'is under way',
  paid: 'is placed',
  declined: 'was declined',
  rejected: 'could not be filled',
};

/** Fills `view` with an order. Throws Refusal if there is none. */
export async function result(view: HTMLElement, id: string): Promise<void> {
  const order = await getOrder(id);
  // The order stands also when its product is no longer sold.
  const name = await getProduct(order.sku).then((product) => product.name, () => order.sku);
  const facts = [
    ['Product', name],
    ['Quantity', String(order.quantity)],
    ['Card', `test card ending in ${order.card_last4}`],
    ['Total', order.amount && order.currency ? shown(order.amount, order.currency) : '–'],
    ['Reference', order.id],
  ] as const;
  view.replaceChildren(
    heading(`Order ${order.number} ${HEADINGS[order.state]}`),
    order.state === 'paid' && h('p', { class: 'good' }, 'Thank you. The goods are set aside for you.') || '',
    h('dl', {}, ...facts.map(([term, fact]) => h('div', {}, h('dt', {}, term), h('dd', {}, fact)))),
    h('a', { class: 'button', href: '#/' }, 'Back to the products'),
  );
}
