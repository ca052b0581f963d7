// What every node of the simulated cluster knows without asking: genesis, clock, blockhashes.
'use strict';

const crypto = require('node:crypto');
const { base58, fromSeed, isPubkey } = require('./keys.js');

const NAME = 'drydock test cluster';
const SLOT_MS = 400;
const GENESIS_MS = Date.UTC(2026, 0, 1);
// How long a blockhash is good, in slots (Agave: MAX_PROCESSING_AGE).
const HASH_SLOTS = 150;
// A client may bring a hash from a node that is a little ahead.
const AHEAD_SLOTS = 32;

const digest = (...parts) => crypto.createHash('sha256').update(parts.join('\n')).digest();
const genesisHash = base58(digest(NAME, 'genesis'));
const slotAt = (ms) => Math.floor((ms - GENESIS_MS) / SLOT_MS);
const blockhash = (slot) => digest(NAME, 'block', slot);

const known = new Map(); // base58 of a blockhash → its slot, for the slots around now

// The slot of a blockhash that a node at `slot` takes, else undefined.
function slotOf(hash, slot) {
  for (let one = slot - HASH_SLOTS; one <= slot + AHEAD_SLOTS; one += 1) {
    if (known.get(blockhashText(one)) === undefined) known.set(blockhashText(one), one);
  }
  const found = known.get(hash);
  return found >= slot - HASH_SLOTS && found <= slot + AHEAD_SLOTS ? found : undefined;
}

const texts = new Map(); // slot → base58

function blockhashText(slot) {
  if (!texts.has(slot)) {
    texts.set(slot, base58(blockhash(slot)));
    for (const old of texts.keys()) {
      if (texts.size <= 2000) break;
      known.delete(texts.get(old));
      texts.delete(old);
    }
  }
  return texts.get(slot);
}

module.exports = {
  AHEAD_SLOTS,
  HASH_SLOTS,
  SLOT_MS,
  blockhash,
  blockhashText,
  blockTime: (slot) => Math.floor((GENESIS_MS + slot * SLOT_MS) / 1000),
  // Pays for airdrops; known to all, as the cluster is nobody's money.
  faucet: fromSeed(digest(NAME, 'faucet')),
  genesisHash,
  isPubkey,
  slotAt,
  slotOf,
};
