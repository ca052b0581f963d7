// PostgreSQL through a pool that never lets a request wait without end.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { Unavailable } from './errors.js';

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
// Any number will do, as long as nothing else in this database uses it.
const LOCK = '7246110384';
// SQLSTATE: what a server says while it starts, fails over or is full; 57014 is a statement cut off.
const LOST = /^(08...|53300|57P0[123]|57014|25006)$/;
// Class 28: the login is refused.
const REFUSED = /^28/;
// Tasks that find out together don't leave together.
const LEAVE_SECONDS = 10;
const LOST_ON_THE_WAY = /timeout|terminated|ECONN|EPIPE|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|not queryable/i;

/** The database didn't serve before the deadline, or refused for good; the text says why. */
export class DatabaseUnreachable extends Error {}

function where(settings) {
  return {
    host: settings.database_host,
    port: settings.database_port,
    database: settings.database_name,
    user: settings.database_user,
    password: settings.database_password,
    ssl: settings.database_ssl === 'require' ? { rejectUnauthorized: false } : false,
    connectionTimeoutMillis: settings.database_command_timeout * 1000,
  };
}

const lost = (error) => LOST.test(error.code ?? '') || LOST_ON_THE_WAY.test(`${error.code} ${error.message}`);

/** A bounded pool. Its failures come out as Unavailable, within the set time-outs. */
export class Database {
  constructor(settings, log) {
    this.log = log;
    this.pool = new pg.Pool({
      ...where(settings),
      max: settings.database_pool_max,
      query_timeout: settings.database_command_timeout * 1000,
    });
    // An idle connection that breaks is replaced by the pool; there is no more to do.
    this.pool.on('error', (error) => log.warn({ reason: error.message }, 'database_connection_lost'));
  }

  /** All rows of `query`. */
  async rows(query, ...values) {
    try {
      return (await this.pool.query(query, values)).rows;
    } catch (error) {
      if (REFUSED.test(error.code ?? '')) this.#leave(error);
      else if (!lost(error)) throw error;
      this.log.warn({ reason: error.message || error.code }, 'database_unavailable');
      throw new Unavailable('database_unavailable', "The database doesn't serve now. Try again.");
    }
  }

  // The password was changed. ECS gives the new one to the task that comes in this one's place; until
  // it is there, connections that are open serve on.
  #leave(error) {
    if (this.leaving) return;
    this.leaving = true;
    this.log.error({ reason: error.message }, 'login_refused');
    setTimeout(() => process.kill(process.pid, 'SIGTERM'), Math.random() * LEAVE_SECONDS * 1000).unref();
  }

  /** The first row of `query`, or undefined. */
  async row(query, ...values) {
    return (await this.rows(query, ...values))[0];
  }

  close() {
    return this.pool.end();
  }
}

/**
 * Brings the schema to what this image needs. Tasks that start together take turns on an advisory
 * lock. A schema from a newer image is left alone: a roll-back must be able to start.
 * Throws DatabaseUnreachable when the database can't be had before STARTUP_TIMEOUT.
 */
export async function migrate(settings, log) {
  const client = await connected(settings);
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    const done = await runner({
      dbClient: client,
      dir: MIGRATIONS,
      direction: 'up',
      migrationsTable: 'migrations',
      migrationsSchema: 'shop_order',
      createMigrationsSchema: true,
      singleTransaction: true,
      noLock: true,
      log: () => {},
    });
    log.info({ migrations: done.map(({ name }) => name) }, 'schema_ready');
  } finally {
    await client.end();
  }
}

async function connected(settings) {
  const deadline = Date.now() + settings.startup_timeout * 1000;
  const address = `${settings.database_host}:${settings.database_port}`;
  for (;;) {
    const client = new pg.Client(where(settings));
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      if (!lost(error)) {
        throw new DatabaseUnreachable(
          `PostgreSQL at ${address} refused database ${settings.database_name} to user ` +
            `${settings.database_user}: ${error.message}. Check the DATABASE_ variables.`,
        );
      }
      if (Date.now() > deadline) {
        throw new DatabaseUnreachable(
          `PostgreSQL at ${address} didn't serve within ${settings.startup_timeout} s: ` +
            `${error.message || error.code}. Check DATABASE_HOST and DATABASE_PORT, and that its ` +
            'security group lets this task in.',
        );
      }
      await pause(300);
    }
  }
}
