// The OpenAPI document, made of the schemas that the requests are checked by.
import { z } from 'zod';
import { ANSWERED_ORDER, ANSWERED_PAGE, KEY, LIST, ORDER, REFUSAL } from './schemas.js';

function schemaOf(schema, io = 'output') {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}

const json = (schema) => ({ content: { 'application/json': { schema } } });
const named = (name) => ({ $ref: `#/components/schemas/${name}` });
const answered = (description, name, headers) => ({ description, ...(headers && { headers }), ...json(named(name)) });
const refused = (statuses) =>
  Object.fromEntries(Object.entries(statuses).map(([status, description]) => [status, answered(description, 'Refusal')]));
const AWAY = { 500: 'A fault of ours; report its request_id.', 503: 'Something that is needed does not serve now; try again.' };

function parametersOf(schema) {
  const { properties } = schemaOf(schema, 'input');
  return Object.entries(properties).map(([name, rule]) => ({ name, in: 'query', schema: rule }));
}

const paths = {
  '/orders': {
    post: {
      operationId: 'placeOrder',
      summary: 'Places an order, once per Idempotency-Key.',
      parameters: [
        {
          name: 'Idempotency-Key',
          in: 'header',
          required: true,
          description: 'Names this one order. The same key and body again get the same answer.',
          schema: { type: 'string', pattern: KEY.source, examples: ['6e0c5a2e-9a53-4f0c-8a0f-0e2f9a1c7b11'] },
        },
      ],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: schemaOf(ORDER),
            example: { sku: 'brass-compass', quantity: 1, card: '4242 4242 4242 4242' },
          },
        },
      },
      responses: {
        201: answered('It is paid.', 'Order', {
          Location: { description: 'Where the order is read.', schema: { type: 'string' } },
          'Idempotent-Replayed': { description: 'true where the order was placed before.', schema: { const: 'true' } },
        }),
        ...refused({
          400: 'There is no usable Idempotency-Key, or the body is no JSON.',
          402: 'The payment was declined. Nothing was charged.',
          409: 'There are not that many left, the goods went to others, or the key belongs to another order.',
          413: 'The body is more than 16 kB.',
          415: 'The body is no application/json in UTF-8.',
          422: 'A field is wrong, or there is no such product.',
          ...AWAY,
        }),
      },
    },
    get: {
      operationId: 'listOrders',
      summary: 'A page of orders, the newest first.',
      parameters: parametersOf(LIST),
      responses: {
        200: answered('The page.', 'Page'),
        ...refused({ 422: 'A parameter is wrong.', ...AWAY }),
      },
    },
  },
  '/orders/{id}': {
    get: {
      operationId: 'getOrder',
      summary: 'One order.',
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } }],
      responses: {
        200: answered('The order.', 'Order'),
        ...refused({ 400: 'The path can not be read.', 404: 'There is no such order.', ...AWAY }),
      },
    },
  },
};

const components = {
  schemas: { Order: schemaOf(ANSWERED_ORDER), Page: schemaOf(ANSWERED_PAGE), Refusal: schemaOf(REFUSAL) },
};

/** The document of the API as it is served under `root`. */
export function openapi(root, version) {
  return {
    openapi: '3.1.0',
    info: { title: 'order', version, description: "The Shop's orders: stock reserved, payment simulated." },
    servers: [{ url: root || '/' }],
    paths,
    components,
  };
}
