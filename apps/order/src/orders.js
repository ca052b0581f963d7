// Orders: stored once per key, then led from state to state by steps that can all be repeated.
//
//   pending ─ stock held ─▶ reserved ─ paid, stock sold ──▶ paid
//      │                       ├──── no, stock given back ▶ declined
//      └── no such stock ──────┴──── the hold had ended ──▶ rejected
//
// Nothing locks an order while others are asked. Each step asks under the order's id, so whoever
// repeats it gets the same answer, and changes the state only from the one it began with.
import { createHash, randomUUID } from 'node:crypto';
import { ApiError } from './errors.js';
import { charge, refund } from './payment.js';
import { within } from './tracing.js';

const ENDS = new Set(['paid', 'declined', 'rejected']);
const COLUMNS =
  'id, number, sku, quantity, card_last4, state, reason, reservation_id, unit_price, currency, amount, created_at';

export class Orders {
  constructor(database, products, settings, log) {
    Object.assign(this, { database, products, settings, log });
  }

  /** Places an order, once per key: `{order, again}`. Throws 409 for a key of another body. */
  async place(key, wanted) {
    const hash = createHash('sha256').update(JSON.stringify(wanted)).digest();
    const fresh = await this.database.row(
      `INSERT INTO shop_order.orders (id, idempotency_key, request_hash, sku, quantity, card_last4)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (idempotency_key) DO NOTHING RETURNING ${COLUMNS}`,
      randomUUID(), key, hash, wanted.sku, wanted.quantity, wanted.last4,
    );
    if (fresh) return { order: await this.settle(fresh), again: false };
    const stored = await this.database.row(
      `SELECT ${COLUMNS}, request_hash FROM shop_order.orders WHERE idempotency_key = $1`, key,
    );
    if (!hash.equals(stored.request_hash)) {
      throw new ApiError(
        409,
        'idempotency_key_reused',
        `Idempotency-Key '${key}' belongs to order ${stored.id}, which has another body. Send that ` +
          'body again, or this one with a new key.',
      );
    }
    return { order: await this.settle(stored), again: true };
  }

  get(id) {
    return this.database.row(`SELECT ${COLUMNS} FROM shop_order.orders WHERE id = $1`, id);
  }

  /** Orders below number `before`, the newest first; with `key` only the one it belongs to. */
  list({ before, limit, key }) {
    return this.database.rows(
      `SELECT ${COLUMNS} FROM shop_order.orders
       WHERE ($1::bigint IS NULL OR number < $1) AND ($2::text IS NULL OR idempotency_key = $2)
       ORDER BY number DESC LIMIT $3`,
      before ?? null, key ?? null, limit,
    );
  }

  /** Leads an order to its end; the result is the order then. */
  async settle(order) {
    let now = order;
    while (!ENDS.has(now.state)) {
      now = await (now.state === 'pending' ? this.reserve(now) : this.pay(now));
    }
    return now;
  }

  /** Takes up orders that stand still, because a task died or another service was away: how many ended. */
  async resume() {
    const late = await this.database.rows(
      `SELECT ${COLUMNS} FROM shop_order.orders WHERE state IN ('pending', 'reserved')
       AND updated_at < clock_timestamp() - make_interval(secs => $1) ORDER BY updated_at LIMIT 20`,
      this.settings.resume_after,
    );
    let ended = 0;
    // A trace each: whoever began them is gone.
    for (const order of late) ended += await within('resume order', {}, () => this.resumeOne(order));
    return ended;
  }

  /** 1 if the order has ended by this, else 0. */
  async resumeOne(order) {
    try {
      const { state } = await this.settle(order);
      this.log.info({ order_id: order.id, from: order.state, state }, 'order_resumed');
      return 1;
    } catch (error) {
      this.log.warn({ order_id: order.id, state: order.state, reason: error.message }, 'order_stands_still');
      // To the end of the queue, so that one that fails again and again holds up no other.
      await this.database.rows('UPDATE shop_order.orders SET updated_at = clock_timestamp() WHERE id = $1', order.id);
      return 0;
    }
  }

  async reserve(order) {
    const { reservation, refused } = await this.products.reserve(order);
    if (refused) return this.move(order, 'rejected', { reason: refused });
    const { id, unit_price: price, currency } = reservation;
    const moved = await this.move(order, 'reserved', { reservation_id: id, unit_price: price, currency });
    // Another repeat was refused before this one got the stock: the refusal stands.
    if (moved.state === 'rejected') await this.products.release(id);
    return moved;
  }

  async pay(order) {
    const { outcome, reason } = await charge(this.database, order, this.settings.payment_timeout, this.log);
    if (outcome === 'declined') {
      await this.products.release(order.reservation_id);
      return this.move(order, 'declined', { reason });
    }
    if (outcome === 'approved' && (await this.products.confirm(order.reservation_id))) {
      return this.move(order, 'paid');
    }
    await refund(this.database, order);
    return this.move(order, 'rejected', { reason: 'reservation_expired' });
  }

  /** Changes the state if it still is the one of `order`; the result is the order as it is then. */
  async move(order, state, { reason, reservation_id: reservation, unit_price: price, currency } = {}) {
    const moved = await this.database.row(
      `UPDATE shop_order.orders SET state = $3, reason = $4, reservation_id = coalesce($5, reservation_id),
         unit_price = coalesce($6, unit_price), currency = coalesce($7, currency), updated_at = clock_timestamp()
       WHERE id = $1 AND state = $2 RETURNING ${COLUMNS}`,
      order.id, order.state, state, reason ?? null, reservation ?? null, price ?? null, currency ?? null,
    );
    return moved ?? this.get(order.id);
  }
}
