// The program that the release archive has under Agave's name. It takes what agave-validator of
// this version takes, and says of itself that it is a test node.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const cluster = require('./cluster.js');
const { Refused, parse, port, portRange } = require('./flags.js');
const keys = require('./keys.js');
const release = require('./release.json');

const USED = `agave-validator ${release.version} (src:00000000; feat:3345198602, client:DrydockTestNode)`;
const COMMANDS = {
  exit: {
    force: 'switch', 'max-delinquent-stake': 'value', 'min-idle-time': 'value', 'no-wait-for-exit': 'switch',
    'skip-health-check': 'switch', 'skip-new-snapshot-check': 'switch',
  },
  'contact-info': { output: 'value' },
};
const HEALTHY_MS = 500;
const MEMORY_OF_LOCAL_SLOTS = 2500; // Agave: --maximum-local-snapshot-age

const admin = (ledger) => path.join(ledger, 'admin.rpc');

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

// Asks the node that runs on a ledger; resolves with its answer, and `closed` once it is gone.
function ask(ledger, question) {
  const socket = net.connect(admin(ledger));
  const closed = new Promise((resolve) => { socket.on('close', resolve); });
  const answer = new Promise((resolve, reject) => {
    socket.on('error', () => reject(new Error(`no validator answers on ${admin(ledger)}: is it running, and on this ledger?`)));
    let text = '';
    socket.on('data', (part) => {
      text += part;
      if (text.includes('\n')) resolve(JSON.parse(text));
    });
    closed.then(() => reject(new Error('the validator went away without an answer')));
  });
  socket.write(`${JSON.stringify(question)}\n`);
  return { answer, closed, end: () => socket.end() };
}

async function command(name, words, ledger) {
  const given = parse(words, COMMANDS[name], {});
  const conversation = ask(ledger, { command: name, ...given });
  const answer = await conversation.answer;
  if (answer.error) fail(answer.error);
  if (name === 'contact-info') {
    process.stdout.write(`${given.output?.[0]?.startsWith('json') ? JSON.stringify(answer.result) : text(answer.result)}\n`);
    return conversation.end();
  }
  process.stdout.write('Exit request sent\n');
  if (given['no-wait-for-exit']) return conversation.end();
  await conversation.closed;
  return process.stdout.write('Validator process has exited\n');
}

const text = (content) => Object.entries(content).map(([name, value]) => `${name}: ${value}`).join('\n');

function settingsOf(given) {
  const one = (name, otherwise) => given[name]?.[0] ?? otherwise;
  const ledger = one('ledger', 'ledger');
  const gossipPort = port(given, 'gossip-port', portRange(given));
  const trusted = given['known-validator'] ?? [];
  if (!given.identity) throw new Refused('error: The following required arguments were not provided:\n    --identity <KEYPAIR>');
  for (const name of trusted) {
    if (!keys.isPubkey(name)) throw new Refused(`error: Invalid value for '--known-validator <VALIDATOR IDENTITY>': ${name} is not a public key`);
  }
  if (given['only-known-rpc'] && !trusted.length) throw new Refused("error: The following required arguments were not provided:\n    --known-validator <VALIDATOR IDENTITY>");
  for (const address of given.entrypoint ?? []) {
    if (!/^[^\s:]+:\d+$/.test(address)) throw new Refused(`error: Invalid value for '--entrypoint <HOST:PORT>': ${address} is not host:port`);
  }
  const identity = keys.read(one('identity')).address;
  const expected = one('expected-genesis-hash', cluster.genesisHash);
  if (expected !== cluster.genesisHash) {
    throw new Error(`Genesis hash mismatch: expected ${expected} but downloaded genesis hash is ${cluster.genesisHash}`);
  }
  const snapshots = one('snapshots', ledger);
  for (const folder of [ledger, snapshots, ...(given.accounts ?? [])]) {
    fs.mkdirSync(folder, { recursive: true });
    fs.accessSync(folder, fs.constants.W_OK);
  }
  return {
    identity, ledger, snapshots, gossipPort,
    entrypoints: given.entrypoint ?? [],
    rpcPort: port(given, 'rpc-port', 8899),
    bindAddress: one('rpc-bind-address', given['private-rpc'] ? '127.0.0.1' : '0.0.0.0'),
    distance: Number(one('health-check-slot-distance', 128)),
    fetchAllowed: !given['no-snapshot-fetch'],
    trusted: given['only-known-rpc'] ? trusted : null,
    maximumAge: Number(one('maximum-local-snapshot-age', MEMORY_OF_LOCAL_SLOTS)),
    snapshotSlots: Number(one('snapshot-interval-slots', 100)),
    bodyBytes: Number(one('rpc-max-request-body-size', 50 * 1024)),
    logFile: one('log', `agave-validator-${identity}.log`),
  };
}

// A log that can be rotated: USR1 opens it anew.
function logger(file) {
  let target = null;
  const open = () => {
    const old = target;
    target = file === '-' ? 2 : fs.openSync(file, 'a');
    if (old !== null && old !== 2) fs.closeSync(old);
  };
  open();
  process.on('SIGUSR1', open);
  return (line) => fs.writeSync(target, `[${new Date().toISOString()} INFO  test_node] ${line}\n`);
}

async function run(given) {
  const settings = settingsOf(given);
  const log = logger(settings.logFile);
  log(`${USED}: a simulated cluster's node with a real SVM, not Agave; identity ${settings.identity}`);
  const { Node } = require('./node.js');
  const node = new Node(settings, log);
  const stop = (signal) => {
    log(`${signal}: exits without a snapshot`);
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('unhandledRejection', (error) => {
    log(error.stack);
    process.exit(1);
  });
  administer(node, settings, log);
  try {
    await node.start();
  } catch (error) {
    log(error.stack);
    fail(`error: ${error.message}`);
  }
}

function administer(node, settings, log) {
  const file = admin(settings.ledger);
  const answers = {
    exit: async ({ force, ...skip }) => {
      while (!force && !skip['skip-health-check'] && node.rpc.health.word !== 'ok') {
        await new Promise((resolve) => { setTimeout(resolve, HEALTHY_MS); });
      }
      log('exits as asked');
      setImmediate(async () => {
        await node.close();
        process.exit(0);
      });
      return 'exits';
    },
    'contact-info': () => ({
      pubkey: settings.identity, gossip: `0.0.0.0:${settings.gossipPort}`,
      rpc: `${settings.bindAddress}:${settings.rpcPort}`, version: release.version,
    }),
    // Not Agave's: see test-node-fault.
    fault: ({ frozen, speed }) => {
      node.frozen = frozen;
      node.peers.frozen = frozen;
      node.speed = speed ?? release.catchUpSlotsPerSecond;
      log(`fault: frozen ${frozen}, slots a second ${node.speed}`);
      return { frozen, slotsPerSecond: node.speed };
    },
  };
  fs.rmSync(file, { force: true });
  net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', async (words) => {
      try {
        const { command: name, ...rest } = JSON.parse(words);
        socket.write(`${JSON.stringify({ result: await answers[name](rest) })}\n`);
      } catch (error) {
        socket.write(`${JSON.stringify({ error: error.message })}\n`);
      }
    });
  }).listen(file, () => fs.chmodSync(file, 0o600));
}

async function main() {
  process.title = 'agave-validator';
  const words = process.argv.slice(2);
  if (words.some((word) => ['--version', '-V'].includes(word))) return process.stdout.write(`${USED}\n`);
  // The subcommand stands behind the flags that all take: --ledger, --log.
  const at = words.findIndex((word, index) =>
    word in COMMANDS && (index === 0 || !/^(-\w|--(?!.*=).+)$/.test(words[index - 1])));
  if (at >= 0) {
    const given = parse(words.slice(0, at), { ledger: 'value' });
    return command(words[at], words.slice(at + 1), given.ledger?.[0] ?? 'ledger');
  }
  if (['run', 'init'].includes(words[0])) words.shift();
  return run(parse(words));
}

if (require.main === module) main().catch((error) => fail(error instanceof Refused ? error.message : `error: ${error.message}`));

module.exports = { ask };
