// The HTTP server, with a stop that no client notices.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { createApp } from './app.js';
import { Database } from './database.js';
import { refuseUnread } from './errors.js';
import { Orders } from './orders.js';
import { Products } from './product.js';
import * as tracing from './tracing.js';

/**
 * Serves until SIGTERM or SIGINT, then:
 * 1. At once: /ready answers 503 and answers close their connections.
 * 2. After DRAIN_DELAY: no new connection; requests under way go on.
 * 3. When they and the orders that were taken up are done, or after DRAIN_TIMEOUT: the pool closes.
 */
export async function serve(settings, log) {
  const state = { draining: false };
  const spans = tracing.begin(settings);
  const database = new Database(settings, log);
  const orders = new Orders(database, new Products(settings, log), settings, log);
  const server = createServer({ connectionsCheckingInterval: 500 }, createApp({ settings, log, state, database, orders }));
  // Who sends a request slower than this holds a connection and nothing else.
  server.requestTimeout = server.headersTimeout = settings.request_timeout * 1000;
  server.on('clientError', refuseUnread);
  // Longer than the load balancer's idle time-out (60 s): the side that closes an idle connection
  // must be the one that sends requests on it.
  server.keepAliveTimeout = 75_000;
  server.listen(settings.port);
  await once(server, 'listening');
  log.info({ port: server.address().port }, 'serving');

  const resuming = resumeUntil(state, orders, settings, log);
  const signal = await new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => resolve(name));
  });
  state.draining = true;
  log.info({ signal, seconds: settings.drain_delay }, 'draining');
  await pause(settings.drain_delay * 1000);
  const done = Promise.all([once(server, 'close'), resuming]);
  server.close();
  server.closeIdleConnections();
  const patience = new AbortController();
  await Promise.race([
    done,
    pause(settings.drain_timeout * 1000, undefined, { signal: patience.signal }).catch(() => {}),
  ]);
  patience.abort();
  server.closeAllConnections();
  await database.close();
  await spans.shutdown();
}

async function resumeUntil(state, orders, settings, log) {
  let next = 0;
  while (!state.draining) {
    if (Date.now() >= next) {
      next = Date.now() + Math.max(settings.resume_after * 1000, 250);
      await orders.resume().catch((error) => log.warn({ reason: error.message }, 'resume_failed'));
    }
    await pause(100);
  }
}
