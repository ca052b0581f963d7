// Configuration: environment variables only, checked once, before anything else starts.
import { z } from 'zod';

export class ConfigurationError extends Error {}

const seconds = (normal) => z.coerce.number().min(0).max(3600).default(normal);
const whole = (least, most, normal) => z.coerce.number().int().min(least).max(most).default(normal);
const text = z.string().min(1);

// Each field: its rule, and the cure that an error message ends with. Times are in seconds.
const FIELDS = {
  port: [whole(0, 65535, 8080), 'Give the port to listen on.'],
  root_path: [
    z.string().regex(/^(\/[A-Za-z0-9._~-]+)*$/).default('/api/order'),
    'Give the path that the load balancer sends here, such as /api/order.',
  ],
  log_level: [z.enum(['debug', 'info', 'warn', 'error']).default('info'), 'Use debug, info, warn or error.'],
  revision: [z.string().default('unreleased'), 'The git revision the image was built from.'],
  product_url: [
    z.url({ protocol: /^https?$/ }),
    'Give the address under which the products are served, such as http://host/api/product.',
  ],
  product_timeout: [seconds(2), 'Longest wait for one answer of the product service.'],
  payment_timeout: [seconds(5), 'Longest wait for one answer of the payment provider.'],
  request_timeout: [seconds(20), 'Longest wait for a client to send one request.'],
  resume_after: [seconds(30), 'Age from which an order that stands still is taken up again.'],
  database_host: [text, "Name the PostgreSQL server's address."],
  database_port: [whole(1, 65535, 5432), "Give PostgreSQL's port."],
  database_name: [text, 'Name the database.'],
  database_user: [text, 'Give the user out of the secret.'],
  database_password: [text, 'Give the password out of the secret.'],
  database_ssl: [
    z.enum(['require', 'disable']).default('require'),
    'Use require, or disable where the server speaks no TLS.',
  ],
  database_pool_max: [whole(1, 500, 10), 'Most connections that one task may open.'],
  database_command_timeout: [seconds(5), 'Longest wait for one statement or for a free connection.'],
  otel_exporter_otlp_endpoint: [
    z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).default(''),
    "Give the collector's address, such as http://127.0.0.1:4318, or nothing.",
  ],
  startup_timeout: [seconds(60), 'Longest wait for the database at start.'],
  drain_delay: [seconds(2), "Time between saying 'not ready' and closing the door."],
  drain_timeout: [seconds(20), 'Longest wait for requests under way.'],
};
const SECRET = new Set(['database_password']);

/**
 * The settings that `environment` has; names in lower case, times in seconds.
 * Throws ConfigurationError with one sentence per wrong variable: its value (unless it is
 * secret), the reason and the cure.
 */
export function load(environment) {
  const settings = {};
  const sentences = [];
  for (const [name, [rule, cure]] of Object.entries(FIELDS)) {
    const variable = name.toUpperCase();
    const given = environment[variable] === '' ? undefined : environment[variable];
    const checked = rule.safeParse(given);
    if (checked.success) {
      settings[name] = checked.data;
    } else if (given === undefined) {
      sentences.push(`${variable} is not set. ${cure}`);
    } else {
      const shown = SECRET.has(name) ? '' : `=${given}`;
      sentences.push(`${variable}${shown} can't be used: ${checked.error.issues[0].message}. ${cure}`);
    }
  }
  if (sentences.length) throw new ConfigurationError(sentences.join('\n'));
  settings.product_url = settings.product_url.replace(/\/+$/, '');
  return Object.freeze(settings);
}
