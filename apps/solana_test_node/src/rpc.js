// JSON-RPC as Agave answers it: most of it is Surfpool's own answer; here is what depends on the
// cluster, and what Surfpool answers otherwise.
'use strict';

const crypto = require('node:crypto');
const cluster = require('./cluster.js');
const { signatureOf } = require('./chain.js');
const { unbase58 } = require('./keys.js');

const BEHIND = -32005;
const INVALID = -32602;
const UNKNOWN_METHOD = { error: { code: -32601, message: 'Method not found' } };
const TRANSACTION_BYTES = 1232;

const invalid = (message) => ({ error: { code: INVALID, message } });

class Rpc {
  #airdrops = crypto.randomInt(50);

  constructor({ chain, peers, identity, release, distance }) {
    Object.assign(this, { chain, peers, identity, release, distance });
  }

  // As /health says it. It knows of the cluster what the node has heard, and so can be wrong.
  get health() {
    if (this.peers.others.length && !this.peers.heard.length) return { word: 'unknown', behind: null };
    const behind = Math.max(0, this.peers.newest - this.chain.slot);
    return { word: behind > this.distance ? 'behind' : 'ok', behind };
  }

  async answer(request) {
    if (typeof request?.method !== 'string') {
      return { jsonrpc: '2.0', error: { code: -32600, message: 'Invalid request' }, id: request?.id ?? null };
    }
    const params = Array.isArray(request.params) ? request.params : [];
    const own = Object.hasOwn(METHODS, request.method) && METHODS[request.method];
    // Cheats are for Surfpool's users, not for a validator's.
    const hidden = request.method.startsWith('surfnet_');
    const { result, error } = hidden ? UNKNOWN_METHOD
      : await (own ? own.call(this, params) : this.chain.call(request.method, params));
    return { jsonrpc: '2.0', ...(error ? { error } : { result }), id: request.id ?? null };
  }

  context(value) {
    return { result: { context: { apiVersion: this.release.version, slot: this.chain.slot }, value } };
  }

  async send(params, transaction) {
    const answer = await this.chain.execute('sendTransaction', params);
    if (!answer.error) {
      this.chain.executed(answer.result);
      this.peers.tell(this.chain.slot, transaction.toString('base64'));
    }
    return answer;
  }

  // Lamports of the faucet, by a transaction like any other's so that all nodes have it.
  airdrop(to, lamports) {
    this.#airdrops += 1;
    const { publicKey, privateKey } = cluster.faucet;
    const data = Buffer.alloc(12);
    data.writeUInt32LE(2);
    data.writeBigUInt64LE(BigInt(lamports), 4);
    // Another blockhash each time: the same transfer twice would be one transaction.
    const hash = cluster.blockhash(this.chain.slot - (this.#airdrops % 50));
    const message = Buffer.concat([
      Buffer.from([1, 0, 1, 3]), publicKey, to, Buffer.alloc(32), hash, Buffer.from([1, 2, 2, 0, 1, data.length]), data,
    ]);
    return Buffer.concat([Buffer.from([1]), crypto.sign(null, message, privateKey), message]);
  }
}

function decoded(text, encoding = 'base58') {
  if (typeof text !== 'string') return null;
  const bytes = encoding === 'base64' ? Buffer.from(text, 'base64') : fromBase58(text);
  return bytes && bytes.length > 65 && bytes.length <= TRANSACTION_BYTES ? bytes : null;
}

function fromBase58(text) {
  // base58 does not say its length; a transaction begins with the number of signatures, not 0.
  for (let length = Math.ceil(text.length * 0.733); length > 0 && length > text.length * 0.7; length -= 1) {
    const bytes = unbase58(text, length);
    if (bytes) return bytes;
  }
  return null;
}

const METHODS = {
  getHealth() {
    const { word, behind } = this.health;
    if (word === 'ok') return { result: 'ok' };
    const message = behind === null ? 'Node is unhealthy' : `Node is behind by ${behind} slots`;
    return { error: { code: BEHIND, message, data: { numSlotsBehind: behind } } };
  },
  async getVersion() {
    const { result } = await this.chain.call('getVersion');
    return { result: { ...result, 'solana-core': this.release.version } };
  },
  getGenesisHash: () => ({ result: cluster.genesisHash }),
  getIdentity() {
    return { result: { identity: this.identity } };
  },
  getClusterNodes() {
    const own = { identity: this.identity, address: this.peers.address, version: this.release.version };
    const node = ({ identity, address, version }) => ({
      pubkey: identity, gossip: address, version, rpc: null, pubsub: null, tpu: null, tvu: null,
      featureSet: null, shredVersion: null,
    });
    return { result: [own, ...this.peers.heard].map(node) };
  },
  getBlockHeight(params) {
    return this.chain.call('getSlot', params);
  },
  async getEpochInfo(params) {
    const { result, error } = await this.chain.call('getEpochInfo', params);
    return error ? { error } : { result: { ...result, blockHeight: result.absoluteSlot, transactionCount: this.chain.transactions } };
  },
  getTransactionCount() {
    return { result: this.chain.transactions };
  },
  getBlockTime: ([slot]) => (Number.isInteger(slot) ? { result: cluster.blockTime(slot) } : invalid('Invalid params: a slot is missing')),
  async getBlock(params) {
    const { result, error } = await this.chain.call('getBlock', params);
    if (!result) return { result, error };
    const blockhash = cluster.blockhashText(params[0]);
    const previousBlockhash = cluster.blockhashText(params[0] - 1);
    return { result: { ...result, blockhash, previousBlockhash, blockTime: cluster.blockTime(params[0]) } };
  },
  getLatestBlockhash() {
    const blockhash = cluster.blockhashText(this.chain.slot);
    return this.context({ blockhash, lastValidBlockHeight: this.chain.slot + cluster.HASH_SLOTS });
  },
  isBlockhashValid([hash]) {
    return this.context(cluster.slotOf(hash, this.chain.slot) !== undefined);
  },
  sendTransaction(params) {
    const transaction = decoded(params[0], params[1]?.encoding);
    if (!transaction) return invalid('invalid transaction: it is not a serialized transaction in the encoding given');
    return this.send(params, transaction);
  },
  simulateTransaction(params) {
    return this.chain.execute('simulateTransaction', params);
  },
  getFeeForMessage(params) {
    return this.chain.execute('getFeeForMessage', params);
  },
  async requestAirdrop([address, lamports]) {
    const to = typeof address === 'string' && unbase58(address, 32);
    if (!to || !Number.isSafeInteger(lamports) || lamports <= 0) return invalid('Invalid params: an address and lamports are needed');
    for (let attempt = 0; ; attempt += 1) {
      const transaction = this.airdrop(to, lamports);
      const answer = await this.send([transaction.toString('base64'), { encoding: 'base64' }], transaction);
      // Another node may have given the same with the same blockhash.
      if (!answer.error || attempt === 5 || this.chain.signatures.get(signatureOf(transaction)) === undefined) return answer;
    }
  },
};

module.exports = { Rpc };
