// What nodes tell each other, in the place of gossip: slots, transactions and snapshots, over HTTP
// on the gossip port. Every node asks every other a few times a second.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');

const ASK_MS = 200; // between two questions to one peer, at the least
const PEERS_A_SECOND = 40; // questions in all
const TIMEOUT_MS = 1000;
// Cut off: for so long nobody could be reached. Who refuses a connection can be reached.
const CUT_OFF_MS = 3000;
const FORGET_MS = 60_000;
const ENTRIES = 5000;

class Peers {
  #known = new Map(); // host:port → what is known of it
  #entries = []; // transactions that came in here: {sequence, slot, transaction}
  #sequence = 0;
  #boot = crypto.randomUUID();
  #reached = Date.now();
  #timers = [];

  // own: () → what this node tells of itself; take(entry): a peer's transaction.
  constructor({ entrypoints, identity, port, own, snapshot, take, log }) {
    Object.assign(this, { identity, port, own, snapshot, take, log });
    for (const address of entrypoints) this.#known.set(address, { address, named: true, since: 0 });
    this.frozen = false; // a fault: nothing is heard or told any more
    this.server = http.createServer((request, response) => this.#answer(request, response));
  }

  start() {
    const ask = () => {
      this.#ask().catch((error) => this.log(`peers: ${error.stack}`)).finally(() => {
        const pause = Math.max(ASK_MS, (1000 * this.#known.size) / PEERS_A_SECOND);
        this.#timers[0] = setTimeout(ask, pause);
      });
    };
    ask();
  }

  stop() {
    this.#timers.forEach(clearTimeout);
    this.server.close();
    this.server.closeAllConnections();
  }

  get others() {
    return [...this.#known.values()].filter((peer) => peer.identity !== this.identity);
  }

  get heard() {
    return this.others.filter((peer) => peer.identity);
  }

  // The newest slot that another node is known to have had, or 0.
  get newest() {
    return Math.max(0, ...this.others.map((peer) => peer.slot ?? 0));
  }

  get cutOff() {
    return this.others.length > 0 && Date.now() - this.#reached > CUT_OFF_MS;
  }

  tell(slot, transaction) {
    this.#sequence += 1;
    this.#entries.push({ sequence: this.#sequence, slot, transaction });
    if (this.#entries.length > ENTRIES) this.#entries.shift();
  }

  // The newest snapshot that a peer gives; null where none has one.
  async fetchSnapshot(trusted) {
    const givers = this.heard.filter((peer) => !peer.starting && (!trusted || trusted.includes(peer.identity)));
    for (const peer of givers.sort((one, other) => other.slot - one.slot)) {
      try {
        const answer = await fetch(`http://${peer.address}/snapshot`, { signal: AbortSignal.timeout(10_000) });
        if (answer.ok) return await answer.json();
      } catch (error) {
        this.log(`snapshot of ${peer.address}: ${error.cause?.code ?? error.message}`);
      }
    }
    return null;
  }

  async #ask() {
    if (this.frozen) return;
    await Promise.all([...this.#known.values()].map((peer) => this.#askOne(peer)));
  }

  async #askOne(peer) {
    // Oneself is asked until the answer shows who it is.
    if (peer.identity === this.identity) return;
    const query = new URLSearchParams({ boot: peer.boot ?? '', since: peer.since, identity: this.identity, port: this.port });
    try {
      const answer = await fetch(`http://${peer.address}/peer?${query}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const { entries, ...told } = await answer.json();
      if (this.frozen) return;
      if (told.identity !== this.identity) {
        this.#reached = peer.seen = Date.now();
        if (told.boot !== peer.boot) this.log(`peer ${told.identity} at ${peer.address}, slot ${told.slot}`);
        for (const entry of entries) this.take(entry);
      }
      Object.assign(peer, told);
    } catch (error) {
      const code = error.cause?.code ?? error.name;
      if (['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'].includes(code)) this.#reached = Date.now();
      if (peer.wrong !== code) this.log(`peer ${peer.address} does not answer: ${code}`);
      peer.wrong = code;
      if (!peer.named && Date.now() - (peer.seen ?? 0) > FORGET_MS) this.#known.delete(peer.address);
    }
  }

  async #answer(request, response) {
    const url = new URL(request.url, 'http://node');
    const send = (status, content) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
    };
    if (this.frozen) return request.socket.destroy();
    if (url.pathname === '/snapshot') {
      const snapshot = this.snapshot();
      return snapshot ? send(200, snapshot) : send(503, { error: 'starting' });
    }
    if (url.pathname !== '/peer') return send(404, { error: 'only /peer and /snapshot are here' });
    this.#meet(url.searchParams, request.socket.remoteAddress);
    const same = url.searchParams.get('boot') === this.#boot;
    const since = same ? Number(url.searchParams.get('since')) : 0;
    const entries = this.#entries.filter((entry) => entry.sequence > since);
    return send(200, { identity: this.identity, boot: this.#boot, since: this.#sequence, ...this.own(), entries });
  }

  // Who asks is a peer, too: a new node is known to the others by its first question.
  #meet(query, remote) {
    const address = `${remote.replace('::ffff:', '')}:${query.get('port')}`;
    const known = this.#known.has(address) || query.get('identity') === this.identity;
    // An entrypoint that is a name stands for the address that it has.
    const named = this.others.some((peer) => peer.identity === query.get('identity'));
    if (!known && !named) this.#known.set(address, { address, since: 0, seen: Date.now() });
  }
}

module.exports = { Peers };
