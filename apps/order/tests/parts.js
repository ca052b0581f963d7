// A real PostgreSQL, the real product service, and a stand-in for its failures.
import { spawn } from 'node:child_process';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const APPS = fileURLToPath(new URL('../..', import.meta.url));
export const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
export const CARDS = {
  good: '4242 4242 4242 4242', declined: '4000000000000002', poor: '4000-0000-0000-9995', silent: '4000000000000119',
};

function variable(name) {
  const value = process.env[name];
  if (value) return value;
  throw new Error(
    `${name} is not set: these tests need a real PostgreSQL and the product service's Python. ` +
      'Set what apps/order/README.md lists, or run `make apps-test`.',
  );
}

const admin = () =>
  new pg.Client({
    host: variable('TEST_DATABASE_HOST'), port: variable('TEST_DATABASE_PORT'), database: variable('TEST_DATABASE_NAME'),
    user: variable('TEST_DATABASE_USER'), password: variable('TEST_DATABASE_PASSWORD'),
  });

/** The first true value of `what`, for at most a minute. */
export async function wait(what, message) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await what();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within a minute: ${message}`);
    await pause(50);
  }
}

/** A process and what it prints, a line of JSON each. */
export class Process {
  constructor(command, words, cwd, environment) {
    this.output = '';
    // Coverage is told by a variable; all else that this process has is none of the service's.
    const { PATH, NODE_V8_COVERAGE } = process.env;
    const env = { PATH, ...(NODE_V8_COVERAGE && { NODE_V8_COVERAGE }), ...environment };
    this.child = spawn(command, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { this.output += text; });
    }
    this.ended = once(this.child, 'close').then(([code]) => code);
  }

  get events() {
    return this.output.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  async serving(url) {
    await wait(async () => {
      if (this.child.exitCode !== null) throw new Error(`it ended:\n${this.output}`);
      return fetch(`${url}/health`).then((answer) => answer.ok, () => false);
    }, `${url} to serve; it printed:\n${this.output}`);
    return this;
  }

  stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    return this.ended;
  }
}

/** A port that a service can listen on; apps/testing/ports.py says why it is below 32768. */
export async function freePort() {
  for (;;) {
    const server = createServer().listen(29_000 + randomInt(3_700));
    const port = await once(server, 'listening').then(() => server.address().port, () => undefined);
    if (!port) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** A database of its own, with a client in it and the variables that name it. */
export async function newDatabase() {
  const name = `order_test_${randomBytes(4).toString('hex')}`;
  const root = admin();
  await root.connect();
  await root.query(`CREATE DATABASE ${name}`);
  const client = new pg.Client({ ...root.connectionParameters, database: name, password: root.password });
  await client.connect();
  const environment = {
    DATABASE_HOST: root.host, DATABASE_PORT: String(root.port), DATABASE_NAME: name,
    DATABASE_USER: root.user, DATABASE_PASSWORD: root.password, DATABASE_SSL: 'disable',
  };
  const drop = async () => {
    await client.end();
    await root.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await root.end();
  };
  return { client, environment, drop, sql: async (query, ...values) => (await client.query(query, values)).rows };
}

/** The real product service on that database. */
export async function productService(environment) {
  const PORT = String(await freePort());
  const url = `http://127.0.0.1:${PORT}`;
  const service = new Process(variable('TEST_PRODUCT_PYTHON'), ['-m', 'product'], `${APPS}product`, {
    ...environment, PORT, DRAIN_DELAY: '0', DATABASE_COMMAND_TIMEOUT: '60', DATABASE_ACQUIRE_TIMEOUT: '60',
  });
  await service.serving(url);
  return { url: `${url}/api/product`, service };
}

/** An order service as a process. */
export async function orderProcess(environment, words = []) {
  const PORT = String(await freePort());
  const url = `http://127.0.0.1:${PORT}`;
  const service = new Process(process.execPath, ['src/main.js', ...words], `${APPS}order`, {
    DRAIN_DELAY: '0', DATABASE_COMMAND_TIMEOUT: '60', PRODUCT_TIMEOUT: '60', ...environment, PORT,
  });
  return { url, api: `${url}/api/order`, service };
}

/** An HTTP server that answers as `behaviour` does: `({method, url, headers}, response) => …`. */
export async function standIn(behaviour) {
  const calls = [];
  const server = createServer((request, response) => {
    request.resume();
    calls.push({ method: request.method, url: request.url, headers: request.headers });
    behaviour(request, response, calls.length);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => { server.closeAllConnections(); server.close(); };
  return { url: `http://127.0.0.1:${server.address().port}`, calls, close };
}

/** POSTs an order: `{status, body, headers}`. */
export async function place(api, changes = {}, { key = randomUUID(), headers = {} } = {}) {
  const body = { sku: 'lamp', quantity: 1, card: CARDS.good, ...changes };
  const answer = await fetch(`${api}/orders`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key, ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json(), headers: answer.headers };
}
