// One node's chain: Surfpool's SVM, moved from slot to slot by us and made to know the cluster's
// blockhashes, so that a transaction signed for one node is good on all of them.
'use strict';

const path = require('node:path');
const { AHEAD_SLOTS, HASH_SLOTS, SLOT_MS, blockhash, faucet } = require('./cluster.js');
const { base58 } = require('./keys.js');

const { Surfnet } = require(process.env.TEST_NODE_SURFPOOL ?? path.join(__dirname, 'surfpool.node'));

const BLOCKHASHES = 'SysvarRecentB1ockHashes11111111111111111111';
const FEE = 5000n;
// Lamports; as many as JSON's numbers hold exactly.
const FAUCET_LAMPORTS = 9e15;
// Transactions; Surfpool takes ever longer for one (400/s at first, 44/s after some 6,000).
const { renewAfter: RENEW_AFTER } = require('./release.json');
const ATTEMPTS = 3;

class Chain {
  #svm;
  #old = null; // the SVM before this one: knows what was executed before
  #baseline = {}; // accounts that every SVM starts with
  #known = -1; // slot at which the blockhashes were last written
  #executed = 0;
  #before = 0; // transactions of earlier SVMs
  #busy = new Set();
  #gate = null; // set while the SVM is renewed

  constructor() {
    this.slot = 0;
    this.signatures = new Map(); // of transactions of the last slots → slot
  }

  get webSocket() {
    return new URL(this.#svm.wsUrl);
  }

  // Begins at a slot with the accounts of a snapshot, or of genesis where there is none.
  async start(slot, snapshot = { accounts: {}, signatures: [], transactions: 0 }) {
    const svm = Surfnet.startWithConfig({ offline: true, blockProductionMode: 'manual', slotTimeMs: SLOT_MS });
    this.#baseline = await this.#export(svm);
    await this.#set(svm, faucet.address, { lamports: FAUCET_LAMPORTS });
    for (const [address, account] of Object.entries(snapshot.accounts)) await this.#set(svm, address, account);
    for (const [signature, at] of snapshot.signatures) this.signatures.set(signature, at);
    this.#old = this.#svm;
    this.#svm = svm;
    this.#before = snapshot.transactions;
    this.#executed = 0;
    this.#known = -1;
    await this.advance(slot);
  }

  // To the next slot, or to a later one. False where Surfpool, busy with transactions, did not go.
  async advance(slot) {
    const { error } = await this.#ask(this.#svm, 'surfnet_timeTravel', [{ absoluteSlot: slot }]);
    this.slot = error ? (await this.#ask(this.#svm, 'getSlot', [{ commitment: 'processed' }])).result : slot;
    this.#svm.drainEvents(); // nobody reads them, and when their channel is full the node stands still
    return this.slot >= slot;
  }

  // Surfpool's own answer, as JSON-RPC has it.
  async call(method, params = []) {
    const answer = await this.#ask(this.#svm, method, params);
    const unknown = answer.result === null || answer.result?.value?.[0] === null;
    if (this.#old && unknown && ['getTransaction', 'getSignatureStatuses'].includes(method)) {
      return this.#ask(this.#old, method, params);
    }
    return answer;
  }

  // Like call, for what a blockhash comes with; a renewal waits for it and it for a renewal.
  async execute(method, params) {
    while (this.#gate) await this.#gate;
    const work = this.#attempt(method, params);
    this.#busy.add(work);
    try {
      return await work;
    } finally {
      this.#busy.delete(work);
    }
  }

  // Blockhashes are forgotten slot by slot, also while a transaction waits for its turn.
  async #attempt(method, params) {
    for (let attempt = 0; ; attempt += 1) {
      await this.#learn();
      const { slot } = this;
      const answer = await this.#ask(this.#svm, method, params);
      const forgotten = answer.error?.data?.err === 'BlockhashNotFound' && this.slot !== slot;
      if (!forgotten || attempt === ATTEMPTS) return answer;
    }
  }

  // Notes what was executed, and renews the SVM once it has had its share.
  executed(signature) {
    this.signatures.set(signature, this.slot);
    for (const [old, slot] of this.signatures) {
      if (slot > this.slot - 2 * HASH_SLOTS) break;
      this.signatures.delete(old);
    }
    this.#executed += 1;
    if (this.#executed >= RENEW_AFTER && !this.#gate) {
      this.#gate = this.#renew().finally(() => { this.#gate = null; });
    }
  }

  get transactions() {
    return this.#before + this.#executed;
  }

  async snapshot() {
    const { slot, transactions } = this;
    const signatures = [...this.signatures];
    const accounts = Object.fromEntries(
      Object.entries(await this.#export(this.#svm)).filter(([address, account]) =>
        !account.owner.startsWith('Sysvar') && JSON.stringify(account) !== JSON.stringify(this.#baseline[address])));
    return { slot, transactions, signatures, accounts };
  }

  // What listens on the WebSocket is told when its SVM goes, by its connection's end.
  onRenewed = () => {};

  async #renew() {
    await Promise.allSettled(this.#busy);
    const older = this.#old;
    const snapshot = await this.snapshot();
    await this.start(this.slot, snapshot);
    older?.stop();
    this.onRenewed();
  }

  // Writes the blockhashes that a transaction may bring now, newest first.
  async #learn() {
    const { slot } = this;
    if (this.#known === slot) return;
    const count = HASH_SLOTS + AHEAD_SLOTS;
    const data = Buffer.alloc(8 + count * 40);
    data.writeBigUInt64LE(BigInt(count));
    for (let at = 0; at < count; at += 1) {
      blockhash(slot + AHEAD_SLOTS - at).copy(data, 8 + at * 40);
      data.writeBigUInt64LE(FEE, 8 + at * 40 + 32);
    }
    await this.#ask(this.#svm, 'surfnet_setAccount', [BLOCKHASHES, { data: data.toString('hex') }]);
    this.#known = slot;
  }

  async #set(svm, address, { lamports, owner, executable, data }) {
    const hex = data && Buffer.from(data, 'base64').toString('hex');
    const answer = await this.#ask(svm, 'surfnet_setAccount', [address, { lamports, owner, executable, data: hex }]);
    if (answer.error) throw new Error(`account ${address} can't be set: ${answer.error.message}`);
  }

  async #export(svm) {
    const answer = await this.#ask(svm, 'surfnet_exportSnapshot', [{ scope: 'network' }]);
    return answer.result.value;
  }

  async #ask(svm, method, params) {
    const answer = await fetch(svm.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    return answer.json();
  }
}

// The first signature of a serialized transaction, which is its name.
const signatureOf = (bytes) => base58(bytes.subarray(1, 65));

module.exports = { Chain, signatureOf };
