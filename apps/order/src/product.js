// The product service over HTTP: time-outs, and retries that can't turn a fault into a flood.
import { setTimeout as pause } from 'node:timers/promises';
import { SpanKind } from '@opentelemetry/api';
import { Unavailable } from './errors.js';
import { request } from './logs.js';
import { carried, within } from './tracing.js';

const TRIES = 3;
const WORTH_A_RETRY = new Set([429, 500, 502, 503, 504]);

/** Retries that all calls share: ten in hand, and a tenth of one for each call. */
export class RetryBudget {
  constructor(most = 10, perCall = 0.1) {
    Object.assign(this, { most, perCall, left: most });
  }

  earn() {
    this.left = Math.min(this.most, this.left + this.perCall);
  }

  spend() {
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}

export class Products {
  constructor(settings, log, budget = new RetryBudget()) {
    Object.assign(this, { url: settings.product_url, timeout: settings.product_timeout * 1000, log, budget });
  }

  /** Sets stock aside for an order: `{reservation}`, or `{refused: code}` for good. */
  async reserve(order) {
    const path = `/products/${encodeURIComponent(order.sku)}/reservations`;
    const { status, body } = await this.post(path, { quantity: order.quantity }, order.id);
    if (status < 300) return { reservation: body };
    return { refused: body?.error?.code ?? `http_${status}` };
  }

  /** Sells what was set aside; false if that had ended meanwhile. */
  async confirm(reservation) {
    return (await this.post(`/reservations/${reservation}/confirm`)).status < 300;
  }

  /** Gives back what was set aside. */
  async release(reservation) {
    const { status, body } = await this.post(`/reservations/${reservation}/release`);
    if (status >= 300) this.log.error({ reservation, code: body?.error?.code }, 'release_refused');
  }

  /** POSTs, again where that may help: `{status, body}` below 500. Throws Unavailable. */
  async post(path, body, key) {
    this.budget.earn();
    for (let attempt = 1; ; attempt += 1) {
      let reason;
      try {
        const answer = await this.once(path, body, key);
        if (!WORTH_A_RETRY.has(answer.status)) return answer;
        reason = `HTTP ${answer.status}`;
      } catch (error) {
        reason = error.cause?.code ?? error.name;
      }
      const again = attempt < TRIES && this.budget.spend();
      this.log.warn({ path, attempt, reason, again }, 'product_call_failed');
      if (!again) {
        throw new Unavailable(
          'product_unavailable',
          "The product service doesn't answer now. The order is kept and will go on by itself; " +
            'ask again with the same Idempotency-Key for what became of it.',
        );
      }
      // Half of it by chance, so that tasks that failed together don't come back together.
      await pause(100 * 2 ** attempt * (0.5 + Math.random() / 2));
    }
  }

  once(path, body = {}, key = undefined) {
    const attributes = { 'http.request.method': 'POST', 'url.full': this.url + path };
    return within('POST product', { kind: SpanKind.CLIENT, attributes }, async (span) => {
      const answer = await fetch(this.url + path, {
        method: 'POST',
        redirect: 'error',
        headers: {
          'Content-Type': 'application/json',
          'X-Request-Id': request.getStore()?.request_id ?? '',
          ...(key && { 'Idempotency-Key': key }),
          ...carried(),
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(this.timeout),
      });
      span.setAttribute('http.response.status_code', answer.status);
      const text = await answer.text();
      try {
        return { status: answer.status, body: JSON.parse(text) };
      } catch {
        return { status: answer.status >= 300 ? answer.status : 502, body: undefined };
      }
    });
  }
}
