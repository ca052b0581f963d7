// Every refusal has one shape: `{"error": {"code", "message", "request_id", ...}}`.
import { request } from './logs.js';

/** A refusal with a status, a stable code for programs and a sentence for people. */
export class ApiError extends Error {
  constructor(status, code, message, more = {}) {
    super(message);
    Object.assign(this, { status, code, more });
  }
}

/** 503: something this task needs doesn't serve now; the caller may try again. */
export class Unavailable extends ApiError {
  constructor(code, message) {
    super(503, code, message);
  }
}

/** Answers with `error`. */
export function refuse(response, { status, code, message, more = {} }) {
  if (status === 503) response.set('Retry-After', '1');
  response.status(status).json({ error: { code, message, request_id: request.getStore()?.request_id, ...more } });
}

/** Express's last resort: `log` learns of what nobody foresaw. */
export function handler(log) {
  return (error, _request, response, next) => {
    if (response.headersSent) return next(error);
    if (error instanceof ApiError) return refuse(response, error);
    if (error.type === 'entity.parse.failed') {
      return refuse(response, { status: 400, code: 'invalid_json', message: 'The body is no JSON.' });
    }
    if (error.type === 'entity.too.large') {
      return refuse(response, { status: 413, code: 'body_too_large', message: 'The body is more than 16 kB.' });
    }
    log.error({ err: error }, 'unhandled_error');
    return refuse(response, {
      status: 500,
      code: 'internal_error',
      message: 'This is our fault. Report it with the request_id.',
    });
  };
}
