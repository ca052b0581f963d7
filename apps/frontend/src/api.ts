// The two services behind the same load balancer, and what can go wrong on the way to them.

export interface Product {
  sku: string;
  name: string;
  description: string;
  price: string;
  currency: string;
  stock: number;
}

export interface Page {
  products: Product[];
  next: string | null;
}

export interface Order {
  id: string;
  number: number;
  sku: string;
  quantity: number;
  card_last4: string;
  state: 'pending' | 'reserved' | 'paid' | 'declined' | 'rejected';
  amount: string | null;
  currency: string | null;
}

export interface NewOrder {
  sku: string;
  quantity: number;
  card: string;
}

/** A refusal with a sentence for people. `again`: the same request may be sent again as it is. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly again: boolean,
  ) {
    super(message);
  }
}

const PRODUCTS = '/api/product/products';
const ORDERS = '/api/order/orders';
const PATIENCE = 30_000; // ms; longer than the order service takes for all its own tries

async function ask<T>(address: string, options: RequestInit = {}): Promise<T> {
  let answer: Response;
  let body: unknown;
  try {
    answer = await fetch(address, { ...options, signal: AbortSignal.timeout(PATIENCE) });
    body = await answer.json();
  } catch {
    throw new Refusal('no_answer', 'The Shop did not answer. Check your connection and try again.', true);
  }
  if (answer.ok) return body as T;
  const { code = `http_${answer.status}`, message } = (body as { error?: { code?: string; message?: string } }).error ?? {};
  if (answer.status >= 500) {
    throw new Refusal(code, 'The Shop cannot serve this right now. Try again in a moment.', true);
  }
  throw new Refusal(code, message ?? `The Shop refused this (${answer.status}).`, false);
}

export const listProducts = (after = ''): Promise<Page> =>
  ask(`${PRODUCTS}?limit=12&after=${encodeURIComponent(after)}`);

export const getProduct = (sku: string): Promise<Product> => ask(`${PRODUCTS}/${encodeURIComponent(sku)}`);

export const getOrder = (id: string): Promise<Order> => ask(`${ORDERS}/${encodeURIComponent(id)}`);

/** Places an order, once per key: a repeat with the same key never orders twice. */
export const placeOrder = (order: NewOrder, key: string): Promise<Order> =>
  ask(ORDERS, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify(order),
  });

/** A new idempotency key. crypto.randomUUID is missing where the page came without TLS. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
