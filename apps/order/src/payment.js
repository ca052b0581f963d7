// A simulated payment provider. It takes test cards alone, so no real card number ever comes in.

// Last four digits → what the provider does. The numbers are those that providers publish for tests.
const RULES = {
  4242: { number: '4242424242424242', outcome: 'approved' },
  '0002': { number: '4000000000000002', outcome: 'declined', reason: 'card_declined' },
  9995: { number: '4000000000009995', outcome: 'declined', reason: 'insufficient_funds' },
  '0119': { number: '4000000000000119', silent: true },
};
const TRIES = 2;

/** The test cards, with blanks or dashes wherever people put them. */
export const CARD = new RegExp(
  `^[ -]*(${Object.values(RULES).map(({ number }) => [...number].join('[ -]*')).join('|')})[ -]*$`,
);

/** The last four digits of a test card, which is all that is kept of it. */
export function lastFour(card) {
  return card.replace(/[ -]/g, '').slice(-4);
}

/** What the provider says of a card. One card is never answered: the call ends by `signal`. */
async function ask(last4, signal) {
  const rule = RULES[last4];
  if (!rule.silent) return rule;
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/**
 * Charges an order, once however often it is asked: `{outcome, reason}`, outcome approved or
 * declined. A provider that doesn't answer in time, twice, counts as declined from then on.
 */
export async function charge(database, order, timeout, log) {
  let answer = { outcome: 'declined', reason: 'payment_timeout' };
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    try {
      answer = await ask(order.card_last4, AbortSignal.timeout(timeout * 1000));
      break;
    } catch (error) {
      log.warn({ attempt, reason: error.message }, 'payment_unanswered');
    }
  }
  // The first outcome stands: the row of whoever came before is kept and read.
  await database.rows(
    `INSERT INTO shop_order.payments (order_id, amount, currency, outcome, reason)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (order_id) DO NOTHING`,
    order.id, order.amount, order.currency, answer.outcome, answer.reason ?? null,
  );
  return database.row('SELECT outcome, reason FROM shop_order.payments WHERE order_id = $1', order.id);
}

/** Gives the money back. */
export async function refund(database, order) {
  await database.rows(
    "UPDATE shop_order.payments SET outcome = 'refunded' WHERE order_id = $1 AND outcome = 'approved'",
    order.id,
  );
}
