// Breaks a test node as nodes break. It has no part in Agave.
'use strict';

const { ask } = require('./agave-validator.js');
const { Refused, parse } = require('./flags.js');

const USE = `test-node-fault --ledger FOLDER freeze | slow SLOTS_PER_SECOND | heal
  freeze  its clock stands and it hears of nobody: its own getHealth stays "ok"
  slow    it replays no faster than so (the cluster makes 2.5 a second): it falls behind, and says so
  heal    neither`;

async function main() {
  const words = process.argv.slice(2);
  const at = words.findIndex((word) => ['freeze', 'slow', 'heal'].includes(word));
  const given = parse(words.slice(0, Math.max(at, 0)), { ledger: 'value' });
  const speed = words[at] === 'slow' ? Number(words[at + 1]) : undefined;
  if (at < 0 || !given.ledger || Number.isNaN(speed)) throw new Refused(USE);
  const conversation = ask(given.ledger[0], { command: 'fault', frozen: words[at] === 'freeze', speed });
  const answer = await conversation.answer;
  conversation.end();
  if (answer.error) throw new Error(answer.error);
  process.stdout.write(`${JSON.stringify(answer.result)}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
