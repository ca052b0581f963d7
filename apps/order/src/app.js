// The application put together: routes, and around each request its span, ids and one log line.
import { randomUUID } from 'node:crypto';
import { SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api';
import express from 'express';
import { z } from 'zod';
import { ApiError, handler, refuse } from './errors.js';
import { request as requestOf } from './logs.js';
import { openapi } from './openapi.js';
import { lastFour } from './payment.js';
import { KEY, LIST, ORDER } from './schemas.js';
import { callerOf } from './tracing.js';

const SENTENCES = {
  card_declined: 'The card was declined. Try another card.',
  insufficient_funds: 'The card has too little money for this. Try another card.',
  payment_timeout: "The payment provider didn't answer in time. Nothing was charged.",
  out_of_stock: 'There are not that many left. Nothing was charged.',
  unknown_product: 'There is no such product. Nothing was charged.',
  reservation_expired: 'The payment took so long that the goods went to others. Your money was given back.',
};

function checked(schema, value) {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues.map(({ path, message }) => ({ field: path.join('.'), message }));
  const message = fields.map(({ field, message: text }) => (field ? `${field}: ${text}` : text)).join('; ');
  throw new ApiError(422, 'invalid_request', message, { fields });
}

const shown = ({ request_hash: _, ...order }) => ({ ...order, number: Number(order.number) });

/** How an order that has ended is answered: 201, or the refusal with the order in it. */
function answer(response, order) {
  if (order.state === 'paid') return response.status(201).json(shown(order));
  const status = order.state === 'declined' ? 402 : order.reason === 'unknown_product' ? 422 : 409;
  const message = SENTENCES[order.reason] ?? `The order was ${order.state}: ${order.reason}.`;
  return refuse(response, { status, code: order.reason, message, more: { order: shown(order) } });
}

function routes(settings, orders) {
  const router = express.Router();
  router.get('/openapi.json', (request, response) => {
    response.json(openapi(request.baseUrl, settings.revision));
  });
  router.post('/orders', express.json({ limit: '16kb' }), async (request, response) => {
    const key = request.get('Idempotency-Key') ?? '';
    if (!KEY.test(key)) {
      throw new ApiError(
        400,
        'invalid_idempotency_key',
        'Idempotency-Key: name this one order with 1 to 128 printable characters, such as a UUID.',
      );
    }
    if (!request.is('json')) {
      throw new ApiError(415, 'unsupported_media_type', 'Send the order as Content-Type: application/json.');
    }
    const { sku, quantity, card } = checked(ORDER, request.body);
    const { order, again } = await orders.place(key, { sku, quantity, last4: lastFour(card) });
    requestOf.getStore().order_id = order.id;
    response.location(`${request.baseUrl}/orders/${order.id}`);
    if (again) response.set('Idempotent-Replayed', 'true');
    answer(response, order);
  });
  router.get('/orders', async (request, response) => {
    const { before, limit, idempotency_key: key } = checked(LIST, request.query);
    const found = await orders.list({ before, limit: limit + 1, key });
    const page = found.slice(0, limit).map(shown);
    response.json({ orders: page, next: found.length > limit ? page.at(-1).number : null });
  });
  router.get('/orders/:id', async (request, response) => {
    const { id } = request.params;
    const order = z.guid().safeParse(id).success && (await orders.get(id));
    if (!order) throw new ApiError(404, 'unknown_order', `There is no order ${id}.`);
    response.json(shown(order));
  });
  for (const [path, allowed] of [['/orders', 'GET, HEAD, POST'], ['/orders/:id', 'GET, HEAD']]) {
    router.all(path, (request, response) => {
      response.set('Allow', allowed);
      throw new ApiError(405, 'method_not_allowed', `${request.method} is not served here, but ${allowed}.`);
    });
  }
  return router;
}

function health(settings, state, database) {
  const router = express.Router();
  router.get('/health', (_request, response) => {
    response.json({ status: 'ok', revision: settings.revision });
  });
  router.get('/ready', async (_request, response) => {
    if (state.draining) return response.status(503).json({ status: 'draining' });
    try {
      await database.row('SELECT 1');
    } catch {
      return response.status(503).json({ status: 'not ready', database: 'unavailable' });
    }
    return response.json({ status: 'ready', database: 'ok' });
  });
  return router;
}

/** Express's middleware around each request. */
function frame(log, state) {
  return (request, response, next) => {
    const begin = performance.now();
    const given = request.get('X-Request-Id') ?? '';
    const id = /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : randomUUID();
    const path = request.path;
    const span = trace.getTracer('order').startSpan(
      request.method,
      { kind: SpanKind.SERVER, attributes: { 'http.request.method': request.method, 'url.path': path } },
      callerOf(request.headers),
    );
    response.set('X-Request-Id', id);
    // Else the load balancer would reuse a connection that is about to close.
    if (state.draining) response.set('Connection', 'close');
    context.with(trace.setSpan(context.active(), span), () =>
      requestOf.run({ request_id: id }, () => {
        const ended = context.bind(context.active(), () => {
          const status = response.statusCode;
          const quiet = /\/(health|ready)$/.test(path) && status === 200;
          const milliseconds = Math.round((performance.now() - begin) * 100) / 100;
          log[quiet ? 'debug' : 'info'](
            { ...requestOf.getStore(), method: request.method, path, status, duration_ms: milliseconds },
            response.writableFinished ? 'request' : 'request_cut',
          );
          if (request.route) span.updateName(`${request.method} ${request.baseUrl}${request.route.path}`);
          span.setAttribute('http.response.status_code', status);
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        });
        const store = requestOf.getStore();
        response.once('close', () => requestOf.run(store, ended));
        next();
      }),
    );
  };
}

/** The service. `state.draining` is true from the signal to stop on. */
export function createApp({ settings, log, state, database, orders }) {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use(frame(log, state));
  // The target group checks the container's own port; people come through the load balancer.
  app.use(health(settings, state, database));
  if (settings.root_path) app.use(settings.root_path, health(settings, state, database));
  app.use(settings.root_path || '/', routes(settings, orders));
  app.use((request) => {
    throw new ApiError(404, 'http_404', `Nothing is served at ${request.method} ${request.path}.`);
  });
  app.use(handler(log));
  return app;
}
