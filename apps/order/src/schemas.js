// What is taken and what is answered: requests are checked by these, the OpenAPI document is made of them.
import { z } from 'zod';
import { CARD } from './payment.js';

const sku = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'it must be a sku such as brass-compass');
const quantity = z.int('it must be a whole number').min(1, 'at least 1').max(100, 'at most 100');
const id = z.guid();
const amount = z.string().regex(/^\d+\.\d{2}$/);

export const KEY = /^[\x21-\x7e]{1,128}$/;

export const ORDER = z.strictObject({
  sku: sku.meta({ examples: ['brass-compass'] }),
  quantity,
  card: z
    .string('it must be a card number')
    .regex(CARD, 'payments are simulated: only test cards such as 4242 4242 4242 4242 are taken')
    .meta({ description: 'A test card: payments are simulated.', examples: ['4242 4242 4242 4242'] }),
});

export const LIST = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  before: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
  idempotency_key: z.string().regex(KEY).optional(),
});

export const ANSWERED_ORDER = z.strictObject({
  id,
  number: z.int().min(1).describe('Counts up; pages of the list end at one.'),
  sku,
  quantity,
  card_last4: z.string().regex(/^\d{4}$/),
  state: z.enum(['pending', 'reserved', 'paid', 'declined', 'rejected']),
  reason: z.string().nullable().describe('Why it was declined or rejected.'),
  reservation_id: id.nullable(),
  unit_price: amount.nullable(),
  currency: z.string().regex(/^[A-Z]{3}$/).nullable(),
  amount: amount.nullable(),
  created_at: z.iso.datetime(),
});

export const ANSWERED_PAGE = z.strictObject({
  orders: z.array(ANSWERED_ORDER),
  next: z.int().min(1).nullable().describe("The next page's `before`; null on the last."),
});

export const REFUSAL = z.strictObject({
  error: z.strictObject({
    code: z.string().describe('For programs; it does not change.'),
    message: z.string().describe('For people: what is wrong, and the cure.'),
    request_id: z.string(),
    fields: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
    order: ANSWERED_ORDER.optional(),
  }),
});
