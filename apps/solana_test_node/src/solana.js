// solana's --version, slot, genesis-hash and catchup, as far as operators use them on a node.
'use strict';

const release = require('./release.json');
const { Refused, parse } = require('./flags.js');

const KNOWN = { url: 'value', 'our-localhost': 'optional', follow: 'switch' };
const SIMPLE = { slot: 'getSlot', 'genesis-hash': 'getGenesisHash', 'block-height': 'getBlockHeight' };

async function ask(url, method, params = []) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(5000),
  }).catch((error) => { throw new Error(`error: ${url} does not answer: ${error.cause?.code ?? error.message}`); });
  const { result, error } = await answer.json();
  if (error) throw new Error(`error: ${method}: ${error.message}`);
  return result;
}

async function main(words) {
  if (words.some((word) => ['--version', '-V'].includes(word))) {
    return `solana-cli ${release.version} (src:00000000; feat:3345198602, client:DrydockTestNode)`;
  }
  const commands = [...Object.keys(SIMPLE), 'catchup'];
  const at = words.findIndex((word) => commands.includes(word));
  if (at < 0) throw new Refused(`error: the test node's solana has ${commands.join(', ')} and --version only`);
  const flags = words.filter((_, index) => index !== at).map((word) => (word === '-u' ? '--url' : word));
  const given = parse(flags, KNOWN, {});
  const url = given.url?.[0] ?? 'http://127.0.0.1:8899';
  if (words[at] !== 'catchup') return ask(url, SIMPLE[words[at]]);
  const port = Array.isArray(given['our-localhost']) ? given['our-localhost'][0] : 8899;
  const own = `http://127.0.0.1:${port}`;
  for (;;) {
    const slots = await Promise.all([own, url].map((one) => ask(one, 'getSlot', [{ commitment: 'processed' }])));
    if (slots[0] >= slots[1]) return `${own} has caught up (us:${slots[0]} them:${slots[1]})`;
    process.stdout.write(`${slots[1] - slots[0]} slot(s) behind (us:${slots[0]} them:${slots[1]})\n`);
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
  }
}

main(process.argv.slice(2)).then((text) => process.stdout.write(`${text}\n`)).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
