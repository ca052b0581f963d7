// What happens when others fail: the product service, the database, the person who configures.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { createApp } from '../src/app.js';
import { Database, migrate } from '../src/database.js';
import * as logs from '../src/logs.js';
import { Orders } from '../src/orders.js';
import { Products, RetryBudget } from '../src/product.js';
import { ConfigurationError, load } from '../src/settings.js';
import * as tracing from '../src/tracing.js';
import { fileURLToPath } from 'node:url';
import { CARDS, Process, TRACE, newDatabase, orderProcess, place, standIn, wait } from './parts.js';

const APP = fileURLToPath(new URL('..', import.meta.url));
const log = logs.create('silent', 'test');
const spans = [];
let database, provider;
const closing = [];

before(async () => {
  database = await newDatabase();
  const settings = load({ ...database.environment, PRODUCT_URL: 'http://127.0.0.1:1' });
  await migrate(settings, log);
  provider = tracing.begin(settings, [
    { onStart() {}, onEnd: (span) => spans.push(span), forceFlush: async () => {}, shutdown: async () => {} },
  ]);
});
beforeEach(() => database.sql('TRUNCATE shop_order.orders, shop_order.payments'));
after(async () => {
  for (const close of closing.reverse()) await close();
  await provider.shutdown();
  await database.drop();
});

const held = { id: '3f2b8c1e-0000-4000-8000-000000000001', unit_price: '10.00', currency: 'EUR', state: 'held' };
const json = (response, status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));

/** The service in this process, in front of a product service that behaves so. */
async function service(behaviour, variables = {}, budget = undefined) {
  const product = await standIn(behaviour);
  const settings = load({ ...database.environment, PRODUCT_URL: product.url, PRODUCT_TIMEOUT: '20', ...variables });
  const base = new Database(settings, log);
  const state = { draining: false };
  const orders = new Orders(base, new Products(settings, log, budget), settings, log);
  const server = createApp({ settings, log, state, database: base, orders }).listen(0, '127.0.0.1');
  closing.push(() => { product.close(); server.closeAllConnections(); server.close(); return base.close(); });
  await wait(() => server.listening, 'the server');
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, api: `${url}/api/order`, calls: product.calls, orders, state, base };
}

test('a fault that passes is not noticed; the trace goes with each try', async () => {
  const shop = await service((_request, response, call) => {
    if (call === 1) return response.destroy();
    return json(response, call === 2 ? 503 : 201, held);
  });
  spans.length = 0;
  const { status } = await place(shop.api, {}, { headers: { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` } });
  assert.equal(status, 201);
  assert.equal(shop.calls.length, 4);
  const keys = new Set(shop.calls.slice(0, 3).map(({ headers }) => headers['idempotency-key']));
  assert.equal(keys.size, 1);
  const parents = shop.calls.map(({ headers }) => headers.traceparent.split('-'));
  assert.deepEqual(new Set(parents.map(([, trace]) => trace)), new Set([TRACE]));
  const clients = spans.filter(({ name }) => name === 'POST product');
  assert.deepEqual(clients.map((span) => span.spanContext().spanId), parents.map(([, , span]) => span));
  await wait(() => spans.some(({ name }) => name === 'POST /api/order/orders'), 'the span of the request');
});

test('a service that stays away ends in 503; the order is kept and goes on later', async () => {
  let away = true;
  const shop = await service((_request, response) => (away ? response.destroy() : json(response, 201, held)), { RESUME_AFTER: '0' });
  const first = await place(shop.api, {}, { key: 'kept' });
  assert.deepEqual([first.status, first.body.error.code, first.headers.get('retry-after')], [503, 'product_unavailable', '1']);
  assert.equal(shop.calls.length, 3);
  // One that fails holds up no other.
  await place(shop.api);
  assert.equal(await shop.orders.resume(), 0);
  assert.equal(shop.calls.length, 3 * 4);
  away = false;
  const before = shop.calls.length;
  assert.equal(await shop.orders.resume(), 2);
  // What is done for an order that is taken up again is one trace, and another order's another.
  const traces = shop.calls.slice(before).map(({ headers }) => headers.traceparent.split('-')[1]);
  assert.deepEqual([traces.length, traces[0] === traces[1], traces[2] === traces[3], new Set(traces).size], [4, true, true, 2]);
  assert.equal(await shop.orders.resume(), 0);
  assert.equal((await place(shop.api, {}, { key: 'kept' })).status, 201);
});

test('a service that hangs is waited for as long as is set', async () => {
  const shop = await service(() => {}, { PRODUCT_TIMEOUT: '0.05' });
  assert.equal((await place(shop.api)).body.error.code, 'product_unavailable');
  assert.equal(shop.calls.length, 3);
});

test('retries end when their budget does', async () => {
  const shop = await service((_request, response) => json(response, 503, {}), {}, new RetryBudget(2, 0));
  for (let order = 0; order < 3; order += 1) assert.equal((await place(shop.api)).status, 503);
  assert.equal(shop.calls.length, 3 + 1 + 1);
  assert.equal(new RetryBudget(10, 0.1).spend(), true);
});

test('an answer that is no JSON is a fault, not an order', async () => {
  const shop = await service((_request, response) => response.writeHead(200).end('<html>'));
  assert.equal((await place(shop.api)).body.error.code, 'product_unavailable');
});

test('a refusal that came first stands, and what another repeat got is given back', async () => {
  const shop = await service(async (request, response) => {
    if (request.url.endsWith('/reservations')) await database.sql("UPDATE shop_order.orders SET state = 'rejected', reason = 'out_of_stock'");
    json(response, 201, held);
  });
  const { status, body } = await place(shop.api);
  assert.deepEqual([status, body.error.code], [409, 'out_of_stock']);
  assert.ok(shop.calls.at(-1).url.endsWith(`/reservations/${held.id}/release`));
});

test('a release that is refused is told, and ends the order none the less', async () => {
  const shop = await service((request, response) => json(response, request.url.endsWith('/release') ? 409 : 201, held));
  assert.equal((await place(shop.api, { card: CARDS.declined })).status, 402);
});

test('a fault of our own is a 500 with an id', async () => {
  const shop = await service((_request, response) => json(response, 201, held));
  await database.sql('ALTER TABLE shop_order.payments RENAME TO mislaid');
  try {
    const { status, body } = await place(shop.api);
    assert.deepEqual([status, body.error.code], [500, 'internal_error']);
    assert.match(body.error.request_id, /^[0-9a-f-]{36}$/);
  } finally {
    await database.sql('ALTER TABLE shop_order.mislaid RENAME TO payments');
  }
});

test('without a database: alive, not ready, and 503; while draining: not ready', async () => {
  const shop = await service(() => {}, { DATABASE_PORT: '1' });
  assert.equal((await fetch(`${shop.url}/health`)).status, 200);
  assert.equal((await fetch(`${shop.api}/ready`)).status, 503);
  assert.equal((await place(shop.api)).body.error.code, 'database_unavailable');
  shop.state.draining = true;
  const draining = await fetch(`${shop.url}/ready`);
  assert.deepEqual([(await draining.json()).status, draining.headers.get('connection')], ['draining', 'close']);
});

test('a process from start to stop: what is under way is finished', async () => {
  let answer;
  const product = await standIn((_request, response) => { answer ??= response; if (answer !== response) json(response, 200, held); });
  closing.push(product.close);
  const { service: running, url, api } = await orderProcess({ ...database.environment, PRODUCT_URL: product.url });
  await running.serving(url);
  assert.deepEqual(await (await fetch(`${url}/ready`)).json(), { status: 'ready', database: 'ok' });
  const healthCheck = () => new Process(process.execPath, ['src/healthcheck.js'], APP, { PORT: new URL(url).port }).ended;
  assert.equal(await healthCheck(), 0);
  const slow = place(api);
  await wait(() => answer, 'the reservation to be asked for');
  running.child.kill('SIGTERM');
  await wait(() => fetch(`${url}/health`).then(() => false, () => true), 'the door to close');
  json(answer, 201, held);
  assert.equal((await slow).status, 201);
  assert.equal(await running.ended, 0);
  assert.equal(await healthCheck(), 1);
  const names = running.events.map(({ event }) => event);
  assert.deepEqual(names.filter((name) => name !== 'request'), ['schema_ready', 'serving', 'draining']);
  assert.ok(!running.output.includes(database.environment.DATABASE_PASSWORD));
});

test('a login that is refused ends the task for one that is given the new', async () => {
  const [user, old, fresh] = [`rotated_${randomBytes(4).toString('hex')}`, randomUUID(), randomUUID()];
  await database.sql(`CREATE ROLE ${user} LOGIN PASSWORD '${old}' IN ROLE ${database.environment.DATABASE_USER}`);
  const login = { ...database.environment, DATABASE_USER: user, DATABASE_PASSWORD: old, PRODUCT_URL: 'http://127.0.0.1:1' };
  const { url, api, service: running } = await orderProcess(login);
  await running.serving(url);
  assert.equal((await fetch(`${api}/orders`)).status, 200);
  await database.sql(`ALTER ROLE ${user} PASSWORD '${fresh}'`);
  // Connections that are open outlive the change.
  assert.equal((await fetch(`${api}/orders`)).status, 200);
  await database.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', user);
  await wait(() => fetch(`${api}/orders`).then(async (answer) => {
    assert.equal((await answer.json()).error.code, 'database_unavailable');
    return false;
  }, () => true), 'the task to leave');
  assert.equal(await running.ended, 0);
  const names = running.events.map(({ event }) => event);
  assert.deepEqual(['login_refused', 'draining'].filter((name) => names.includes(name)), ['login_refused', 'draining']);
  assert.ok(!running.output.includes(old));
  const successor = await orderProcess({ ...login, DATABASE_PASSWORD: fresh });
  await successor.service.serving(successor.url);
  assert.equal((await fetch(`${successor.api}/orders`)).status, 200);
  await successor.service.stop();
  await database.sql(`DROP ROLE ${user}`);
});

test('starters at once migrate once, into a schema of their own', async () => {
  const fresh = await newDatabase();
  try {
    const variables = { ...fresh.environment, PRODUCT_URL: 'http://127.0.0.1:1' };
    const starters = await Promise.all([1, 2, 3].map(() => orderProcess(variables, ['migrate'])));
    assert.deepEqual(await Promise.all(starters.map(({ service: { ended } }) => ended)), [0, 0, 0]);
    const done = starters.flatMap(({ service: { events } }) => events.at(-1).migrations);
    assert.deepEqual(done, ['0001_orders-and-payments']);
    const tables = await fresh.sql("SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN ('public', 'shop_order') ORDER BY 1");
    assert.deepEqual(tables.map(({ name }) => name), ['shop_order.migrations', 'shop_order.orders', 'shop_order.payments']);
    // An older image starts on a newer schema and leaves it alone.
    await fresh.sql("INSERT INTO shop_order.migrations (name, run_on) VALUES ('9999_later', now())");
    const { service: older } = await orderProcess(variables, ['migrate']);
    assert.equal(await older.ended, 0, older.output);
  } finally {
    await fresh.drop();
  }
});

test('what can not be used ends the start with sentences', async () => {
  assert.throws(
    () => load({ ...database.environment, DATABASE_HOST: '', DATABASE_SSL: 'maybe', PRODUCT_URL: 'ftp://x', PORT: '99999' }),
    (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.match(error.message, /DATABASE_HOST is not set\. Name the PostgreSQL server's address\./);
      for (const text of ['DATABASE_SSL=maybe can', 'PRODUCT_URL=ftp://x can', 'PORT=99999 can']) assert.ok(error.message.includes(text));
      return true;
    },
  );
  const url = { PRODUCT_URL: 'http://127.0.0.1:1' };
  for (const [variables, words, code, says] of [
    [{}, [], 78, 'PRODUCT_URL is not set'],
    [{}, ['sail'], 64, "'sail' is no command"],
    [{ ...database.environment, ...url, DATABASE_PORT: '1', STARTUP_TIMEOUT: '0.5' }, [], 69, "didn't serve within 0.5 s"],
    [{ ...database.environment, ...url, DATABASE_NAME: 'no_such' }, [], 69, 'refused database no_such'],
  ]) {
    const { service: ended } = await orderProcess(variables, words);
    assert.equal(await ended.ended, code, ended.output);
    assert.ok(ended.output.includes(says), ended.output);
  }
});

test('the load balancer names the trace; nonsense begins a new one, with an id for X-Ray', () => {
  const root = `Root=1-${TRACE.slice(0, 8)}-${TRACE.slice(8)}`;
  const idOf = (headers) => tracing.within('x', { parent: tracing.callerOf(headers) }, (span) => span.spanContext().traceId);
  return Promise.all([
    idOf({ 'x-amzn-trace-id': root }).then((id) => assert.equal(id, TRACE)),
    idOf({ 'x-amzn-trace-id': `Self=1-x;${root};Parent=00f067aa0ba902b7;Sampled=1` }).then((id) => assert.equal(id, TRACE)),
    idOf({ traceparent: 'nonsense' }).then((id) => assert.ok(Math.abs(parseInt(id.slice(0, 8), 16) - Date.now() / 1000) < 60)),
  ]);
});
