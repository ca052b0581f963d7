// Orders on a real PostgreSQL with the real product service.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { CARDS, TRACE, newDatabase, orderProcess, place, productService, wait } from './parts.js';

let database, product, order, api;

before(async () => {
  database = await newDatabase();
  product = await productService(database.environment);
  order = await orderProcess({ ...database.environment, PRODUCT_URL: product.url, PAYMENT_TIMEOUT: '0.2' });
  await order.service.serving(order.url);
  api = order.api;
});

after(async () => {
  await order?.service.stop();
  await product?.service.stop();
  await database?.drop();
});

beforeEach(async () => {
  await database.sql('TRUNCATE shop_order.orders, shop_order.payments, product.products, product.reservations');
  await database.sql(
    "INSERT INTO product.products (sku, name, price, currency, stock) VALUES ('lamp', 'Lamp', 34.90, 'EUR', 5)",
  );
});

const stock = async () => (await database.sql('SELECT stock FROM product.products'))[0].stock;
const states = async (table) =>
  (await database.sql(`SELECT state, count(*)::int AS n FROM ${table} GROUP BY 1 ORDER BY 1`)).map(({ state, n }) => `${state} ${n}`);

test('an order is paid, its stock sold, and it can be read again', async () => {
  const { status, body, headers } = await place(api, { quantity: 2 });
  assert.equal(status, 201);
  assert.deepEqual(
    [body.state, body.unit_price, body.amount, body.currency, body.card_last4],
    ['paid', '34.90', '69.80', 'EUR', '4242'],
  );
  assert.equal(headers.get('location'), `/api/order/orders/${body.id}`);
  const read = await fetch(`${api}/orders/${body.id}`);
  assert.deepEqual(await read.json(), body);
  assert.equal(await stock(), 3);
  assert.deepEqual(await states('product.reservations'), ['confirmed 1']);
  const [payment] = await database.sql('SELECT * FROM shop_order.payments');
  assert.deepEqual([payment.order_id, payment.amount, payment.outcome], [body.id, '69.80', 'approved']);
});

for (const [card, reason] of [['declined', 'card_declined'], ['poor', 'insufficient_funds'], ['silent', 'payment_timeout']]) {
  test(`a payment that ends with ${reason} gives the stock back`, async () => {
    const { status, body } = await place(api, { card: CARDS[card] });
    assert.deepEqual([status, body.error.code, body.error.order.state], [402, reason, 'declined']);
    assert.equal(await stock(), 5);
    assert.deepEqual(await states('product.reservations'), ['released 1']);
  });
}

test('what is not there, or not in that number, is refused without a charge', async () => {
  const many = await place(api, { quantity: 6 });
  assert.deepEqual([many.status, many.body.error.code], [409, 'out_of_stock']);
  const none = await place(api, { sku: 'none' });
  assert.deepEqual([none.status, none.body.error.code], [422, 'unknown_product']);
  assert.deepEqual(await database.sql('SELECT * FROM shop_order.payments'), []);
});

test('a key places one order however often and however concurrently it comes', async () => {
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 12 }, () => place(api, { quantity: 2 }, { key })));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
  assert.equal(answers.filter(({ headers }) => headers.get('idempotent-replayed')).length, 11);
  const [first] = answers;
  for (const { body } of answers) assert.deepEqual(body, first.body);
  assert.equal(await stock(), 3);
  assert.deepEqual(await states('shop_order.orders'), ['paid 1']);
  // A refusal is repeated as well, also when there is stock again.
  const refused = await place(api, { quantity: 4 }, { key: 'late' });
  await database.sql('UPDATE product.products SET stock = 50');
  const again = await place(api, { quantity: 4 }, { key: 'late' });
  assert.deepEqual([again.status, again.body.error.order.id], [409, refused.body.error.order.id]);
});

test('a key belongs to one body', async () => {
  await place(api, {}, { key: 'one' });
  const other = await place(api, { quantity: 2 }, { key: 'one' });
  assert.deepEqual([other.status, other.body.error.code], [409, 'idempotency_key_reused']);
  assert.equal(await stock(), 4);
});

test('many who want the last ones: no more are sold than there are', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => place(api)));
  assert.equal(answers.filter(({ status }) => status === 201).length, 5);
  assert.equal(answers.filter(({ status, body }) => status === 409 && body.error.code === 'out_of_stock').length, 7);
  assert.equal(await stock(), 0);
});

test('an order that stood still is taken up where it stood', async () => {
  const placed = await place(api, { quantity: 2 });
  // As a task leaves it that died after the reservation, or before it.
  for (const state of ['reserved', 'pending']) {
    await database.sql('UPDATE shop_order.orders SET state = $1', state);
    const again = await place(api, { quantity: 2 }, { key: (await database.sql('SELECT idempotency_key FROM shop_order.orders'))[0].idempotency_key });
    assert.equal(again.body.id, placed.body.id);
    assert.deepEqual([await stock(), await states('shop_order.orders')], [3, ['paid 1']]);
  }
});

test('a hold that ended before the payment gives the money back', async () => {
  const placed = await place(api, {}, { key: 'slow' });
  await database.sql("UPDATE product.reservations SET state = 'expired'");
  await database.sql("UPDATE shop_order.orders SET state = 'reserved'");
  const again = await place(api, {}, { key: 'slow' });
  assert.deepEqual([again.status, again.body.error.code], [409, 'reservation_expired']);
  const [payment] = await database.sql('SELECT order_id, outcome FROM shop_order.payments');
  assert.deepEqual(payment, { order_id: placed.body.id, outcome: 'refunded' });
});

test('orders are listed by pages and by key', async () => {
  const placed = [];
  for (const key of ['a', 'b', 'c']) placed.push((await place(api, {}, { key })).body.number);
  const list = async (query) => (await fetch(`${api}/orders?${query}`)).json();
  const first = await list('limit=2');
  assert.deepEqual(first.orders.map(({ number }) => number), [placed[2], placed[1]]);
  const second = await list(`limit=2&before=${first.next}`);
  assert.deepEqual([second.orders.map(({ number }) => number), second.next], [[placed[0]], null]);
  const [only] = (await list('idempotency_key=b')).orders;
  assert.equal(only.number, placed[1]);
});

for (const [change, says] of [
  [{ quantity: 0 }, /quantity: at least 1/],
  [{ quantity: 1.5 }, /quantity: it must be a whole number/],
  [{ quantity: '2' }, /quantity: /],
  [{ sku: 'Big Lamp' }, /sku: it must be a sku/],
  [{ card: '4111111111111111' }, /card: payments are simulated: only test cards/],
  [{ card: undefined }, /card: it must be a card number/],
  [{ coupon: 'x' }, /coupon/],
]) {
  test(`a wrong order is refused with a reason: ${JSON.stringify(change)}`, async () => {
    const { status, body } = await place(api, change);
    assert.equal(status, 422);
    assert.match(body.error.message, says);
    assert.deepEqual(await states('shop_order.orders'), []);
  });
}

test('other wrong requests', async () => {
  const json = { 'Content-Type': 'application/json' };
  const post = (body, headers) => fetch(`${api}/orders`, { method: 'POST', body, headers: { ...json, ...headers } });
  assert.equal((await post('{}', {})).status, 400);
  assert.equal((await post('{}', { 'Idempotency-Key': 'with space' })).status, 400);
  assert.equal((await (await post('{', { 'Idempotency-Key': 'k' })).json()).error.code, 'invalid_json');
  assert.equal((await post(JSON.stringify('x'.repeat(20_000)), { 'Idempotency-Key': 'k' })).status, 413);
  assert.equal((await fetch(`${api}/orders?limit=0`)).status, 422);
  for (const path of ['orders/17', `orders/${randomUUID()}`]) {
    assert.equal((await (await fetch(`${api}/${path}`)).json()).error.code, 'unknown_order');
  }
  assert.equal((await fetch(`${api}/nothing`)).status, 404);
});

test('one trace leads through the logs of both services', async () => {
  const headers = { 'X-Amzn-Trace-Id': `Root=1-${TRACE.slice(0, 8)}-${TRACE.slice(8)}`, 'X-Request-Id': 'find-me' };
  const { body } = await place(api, {}, { headers });
  const ofTrace = ({ events }) => events.filter(({ trace_id: id }) => id === TRACE);
  // The answer may be here before the line about it.
  const own = await wait(() => (ofTrace(order.service).length ? ofTrace(order.service) : null), 'the line of the order');
  const theirs = await wait(() => (ofTrace(product.service).length > 1 ? ofTrace(product.service) : null), 'two lines of the product service');
  assert.deepEqual(own.map(({ event, order_id: id, status }) => [event, id, status]), [['request', body.id, 201]]);
  assert.deepEqual(theirs.map(({ event, path }) => [event, path.split('/').at(-1)]), [['request', 'reservations'], ['request', 'confirm']]);
  for (const { request_id: id, span_id: span } of theirs) {
    assert.equal(id, 'find-me');
    assert.match(span, /^[0-9a-f]{16}$/);
  }
  assert.equal(new Set([...own, ...theirs].map(({ span_id: span }) => span)).size, 3);
});
