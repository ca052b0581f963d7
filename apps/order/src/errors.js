// Every refusal has one shape: `{"error": {"code", "message", "request_id", ...}}`.
import { randomUUID } from 'node:crypto';
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

// Bodies that can't be read, by the type that Express gives the error.
const UNREADABLE = {
  'entity.parse.failed': { status: 400, code: 'invalid_json', message: 'The body is no JSON.' },
  'entity.too.large': { status: 413, code: 'body_too_large', message: 'The body is more than 16 kB.' },
  'charset.unsupported': { status: 415, code: 'unsupported_charset', message: 'Send the body in UTF-8.' },
  'encoding.unsupported': { status: 415, code: 'unsupported_encoding', message: 'Send the body as it is, or with gzip.' },
};

/** Express's last resort: `log` learns of what nobody foresaw. */
export function handler(log) {
  return (error, _request, response, next) => {
    if (response.headersSent) return next(error);
    if (error instanceof ApiError) return refuse(response, error);
    if (error.type in UNREADABLE) return refuse(response, UNREADABLE[error.type]);
    // What else Express refuses to read: a path such as /orders/%FF.
    if (error.status >= 400 && error.status < 500) {
      return refuse(response, { status: error.status, code: 'invalid_request', message: "The request can't be read." });
    }
    log.error({ err: error }, 'unhandled_error');
    return refuse(response, {
      status: 500,
      code: 'internal_error',
      message: 'This is our fault. Report it with the request_id.',
    });
  };
}

// What Node.js can't read as HTTP, by its error's code: status line, code, message.
const NO_REQUEST = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'request_timeout', 'The request took too long to come.'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'headers_too_large', 'The headers are more than 16 kB.'],
};

/** Node.js's last resort: what never became a request is refused in the same shape. */
export function refuseUnread(error, socket) {
  if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
  const [line, code, message] = NO_REQUEST[error.code] ?? ['400 Bad Request', 'invalid_http', 'That is no HTTP/1.1.'];
  const body = JSON.stringify({ error: { code, message, request_id: randomUUID() } });
  const headers = ['Content-Type: application/json; charset=utf-8', `Content-Length: ${body.length}`, 'Connection: close'];
  return socket.end([`HTTP/1.1 ${line}`, ...headers, '', body].join('\r\n'));
}
