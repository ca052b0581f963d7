// Requests that nobody means well: every one is told what is wrong, none breaks anything.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newDatabase, orderProcess, place, productService } from './parts.js';

let database, product, order;

before(async () => {
  database = await newDatabase();
  product = await productService(database.environment);
  const variables = { PRODUCT_URL: product.url, PAYMENT_TIMEOUT: '0.1', REQUEST_TIMEOUT: '1', LOG_LEVEL: 'error' };
  order = await orderProcess({ ...database.environment, ...variables });
  await order.service.serving(order.url);
});

after(async () => {
  await order?.service.stop();
  await product?.service.stop();
  await database?.drop();
});

/** Sends `bytes` as they are and gives all that comes back, until the service closes. */
const raw = (bytes) => new Promise((resolve, reject) => {
  let answer = '';
  const socket = connect(new URL(order.url).port, '127.0.0.1', () => socket.write(bytes));
  socket.setEncoding('utf8').on('data', (text) => { answer += text; }).on('close', () => resolve(answer)).on('error', reject);
});

function check(text) {
  const { code, message, request_id: id } = JSON.parse(text).error;
  assert.ok(code && message && id, text);
  assert.doesNotMatch(text, /SELECT|node_modules|\bat .*\.js:|Zod|SyntaxError/);
  return code;
}

for (const text of ["'; DROP TABLE shop_order.orders; --", '\0', '\ud800', '${jndi:x}', 'a'.repeat(9000), 'x\r\nSet-Cookie: a=b']) {
  for (const field of ['sku', 'card', 'quantity']) {
    test(`a text that attacks is refused: ${field} ${JSON.stringify(text.slice(0, 20))}`, async () => {
      const { status, body } = await place(order.api, { sku: 'brass-compass', [field]: text });
      assert.equal(status, 422);
      check(JSON.stringify(body));
    });
  }
}

for (const [body, status] of [
  ['', 422], ['null', 400], ['[]', 422], ['{', 400], ['[1]', 422], [Buffer.from([0xff, 0xfe]), 400], ['['.repeat(8000), 400],
  ['{"quantity": 1e400}', 422], ['{"__proto__": {"sku": "x"}}', 422], [JSON.stringify('x'.repeat(20_000)), 413],
]) {
  test(`a body that is no order is refused: ${String(body).slice(0, 24)}`, async () => {
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': randomUUID() };
    const answer = await fetch(`${order.api}/orders`, { method: 'POST', headers, body });
    assert.equal(answer.status, status);
    check(await answer.text());
  });
}

for (const [header, value, status] of [
  ['Content-Type', 'text/plain', 415], ['Content-Type', 'application/json; charset=klingon', 415],
  ['Content-Encoding', 'rot13', 415], ['Content-Encoding', 'gzip', 400],
]) {
  test(`a body in another form is refused: ${header}: ${value}`, async () => {
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': randomUUID(), [header]: value };
    const answer = await fetch(`${order.api}/orders`, { method: 'POST', headers, body: '{}' });
    assert.equal(answer.status, status);
    check(await answer.text());
  });
}

for (const [path, status] of [
  ['orders/%FF', 400], ['orders/%00', 404], ["orders/' OR 1=1", 404], ['orders?limit=%00', 422], ['orders?limit=1&limit=2', 422],
  ['orders?before=9223372036854775808', 422], ['orders?idempotency_key=%00', 422], ['orders?or=1', 422], ['../../etc/passwd', 404],
]) {
  test(`a path that attacks is refused: ${path}`, async () => {
    const answer = await fetch(`${order.api}/${path}`);
    assert.equal(answer.status, status);
    check(await answer.text());
  });
}

test('a method that is not served is told which are', async () => {
  const answer = await fetch(`${order.api}/orders`, { method: 'DELETE' });
  assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD, POST']);
  check(await answer.text());
});

for (const [what, bytes, status, code] of [
  ['no HTTP', 'sail\r\n\r\n', 400, 'invalid_http'],
  ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}`, 431, 'headers_too_large'],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400, 'invalid_http'],
  ['headers that stop', 'GET /health HTTP/1.1\r\nHost: x\r\n', 408, 'request_timeout'],
  ['a body that stops', 'POST /api/order/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{', 408, 'request_timeout'],
]) {
  test(`what never becomes a request is refused and let go: ${what}`, async () => {
    const answer = await raw(bytes);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
    assert.equal(check(answer.split('\r\n\r\n')[1]), code);
  });
}

test('a header of ours bears no line of theirs', async () => {
  const answer = await raw('GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: a%0d%0aSet-Cookie: b\r\nConnection: close\r\n\r\n');
  assert.doesNotMatch(answer, /Set-Cookie/);
  assert.match(answer, /X-Request-Id: [0-9a-f-]{36}\r\n/);
});

test('it keeps to its OpenAPI document', async () => {
  // A right order of a product that is not sold is refused, and no document can say which those are.
  const words = [
    fileURLToPath(new URL('../../testing/contract.py', import.meta.url)), `${order.api}/openapi.json`, 'positive_data_acceptance',
  ];
  const { code, said } = await new Promise((resolve) => {
    const child = execFile(process.env.TEST_PRODUCT_PYTHON, words, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, said: stdout + stderr });
    });
  });
  assert.equal(code, 0, said);
  // Its right requests came through: the document's own example is an order that is paid.
  assert.ok((await database.sql("SELECT 1 FROM shop_order.orders WHERE state = 'paid'")).length > 0, said);
});
