// `node src/main.js [serve|migrate]`: serve (the default) brings the schema up to date and serves.
//
// Exit codes: 0 ended as asked, 64 unknown command, 69 the database can't be had, 70 a migration
// failed, 78 wrong configuration (sysexits.h).
import * as logs from './logs.js';
import { DatabaseUnreachable, migrate } from './database.js';
import { serve } from './server.js';
import { ConfigurationError, load } from './settings.js';

const [EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE, EX_CONFIG] = [64, 69, 70, 78];

async function main(words) {
  const command = words[0] ?? 'serve';
  if (!['serve', 'migrate'].includes(command) || words.length > 1) {
    process.stderr.write(`'${words.join(' ')}' is no command. Use serve or migrate.\n`);
    return EX_USAGE;
  }
  let settings;
  try {
    settings = load(process.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const log = logs.create('info', 'unknown');
    for (const message of error.message.split('\n')) log.error({ message }, 'configuration_error');
    return EX_CONFIG;
  }
  const log = logs.create(settings.log_level, settings.revision);
  // Process 1 of a container that has no handler ignores the signal.
  const stop = () => process.exit(0);
  process.on('SIGTERM', stop);
  try {
    await migrate(settings, log);
  } catch (error) {
    const away = error instanceof DatabaseUnreachable;
    log.error(away ? { message: error.message } : { err: error }, away ? 'database_unreachable' : 'migration_failed');
    return away ? EX_UNAVAILABLE : EX_SOFTWARE;
  }
  process.off('SIGTERM', stop);
  if (command === 'serve') await serve(settings, log);
  return 0;
}

process.exit(await main(process.argv.slice(2)));
