// One line of JSON per event on stdout, with request, trace and span ids.
import { AsyncLocalStorage } from 'node:async_hooks';
import { trace } from '@opentelemetry/api';
import { pino } from 'pino';

/** What each event of one request carries besides: `{request_id, order_id, ...}`. */
export const request = new AsyncLocalStorage();

/** A logger; `destination` is a stream, stdout by default. */
export function create(level, revision, destination = pino.destination({ sync: true })) {
  return pino(
    {
      level,
      base: { service: 'order', revision },
      messageKey: 'event',
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      mixin() {
        const span = trace.getActiveSpan()?.spanContext();
        return { ...request.getStore(), ...(span && { trace_id: span.traceId, span_id: span.spanId }) };
      },
    },
    destination,
  );
}
