// solana-keygen's `new` and `pubkey`, as far as a node's identity needs them.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const { Refused, parse } = require('./flags.js');
const keys = require('./keys.js');
const release = require('./release.json');

const NEW = { outfile: 'value', force: 'switch', silent: 'switch', 'no-bip39-passphrase': 'switch', 'no-outfile': 'switch' };
const SHORT = { '-o': '--outfile', '-f': '--force', '-s': '--silent' };

function main([command, ...words]) {
  if (['--version', '-V'].includes(command)) return `solana-keygen ${release.version} (test node)`;
  if (command === 'pubkey') return keys.read(words[0]).address;
  if (command !== 'new') throw new Refused('error: the test node has solana-keygen new and pubkey only');
  const given = parse(words.map((word) => SHORT[word] ?? word), NEW, {});
  const pair = keys.fromSeed(crypto.randomBytes(32));
  if (!given['no-outfile']) {
    if (!given.outfile) throw new Refused('error: give --outfile FILE');
    const [file] = given.outfile;
    if (fs.existsSync(file) && !given.force) throw new Refused(`Refusing to overwrite ${file} without --force flag`);
    fs.writeFileSync(file, JSON.stringify(pair.secret), { mode: 0o600 });
  }
  return given.silent ? '' : `pubkey: ${pair.address}`;
}

try {
  process.stdout.write(`${main(process.argv.slice(2))}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
