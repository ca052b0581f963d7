// A running test node: where its chain begins, how it goes on, and what reaches it.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { Chain, signatureOf } = require('./chain.js');
const cluster = require('./cluster.js');
const { Peers } = require('./peers.js');
const { Rpc } = require('./rpc.js');
const release = require('./release.json');

const TICK_MS = 50;
const SNAPSHOT_SLOTS = 100;
const SNAPSHOTS_KEPT = 2;
const ALONE_MS = 5000; // how long a node waits for others before it begins the cluster
const RETRY_SLOTS = 10;
const SNAPSHOT = /^snapshot-(\d+)\.json$/;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

class Node {
  #pending = []; // peers' transactions that this node is not yet far enough for
  #applying = false;
  #credit = 0; // slots that it may replay now
  #ticked = Date.now();
  #latest = null; // snapshot
  #written = 0; // slot of the newest snapshot on disk
  #sockets = new Set();

  constructor(settings, log) {
    Object.assign(this, { settings, log });
    const { identity, entrypoints, gossipPort, distance } = settings;
    this.frozen = false;
    this.speed = release.catchUpSlotsPerSecond;
    this.chain = new Chain();
    this.chain.onRenewed = () => {
      this.log('the SVM was renewed');
      for (const socket of this.#sockets) socket.destroy();
    };
    this.peers = new Peers({
      entrypoints, identity, port: gossipPort, log,
      own: () => ({ slot: this.chain.slot, version: release.version, starting: !this.#latest }),
      snapshot: () => this.#latest,
      take: (entry) => this.#pending.push({ ...entry, tries: 0 }),
    });
    this.rpc = new Rpc({ chain: this.chain, peers: this.peers, identity, release, distance });
  }

  async start() {
    const { rpcPort, bindAddress, gossipPort } = this.settings;
    await listen(this.peers.server, gossipPort, '0.0.0.0');
    this.peers.start();
    const snapshot = await this.#beginning();
    await this.chain.start(snapshot?.slot ?? cluster.slotAt(Date.now()), snapshot ?? undefined);
    this.log(`begins at slot ${this.chain.slot} of ${cluster.slotAt(Date.now())}`);
    await this.#snapshot();
    this.#ticked = Date.now();
    this.#follow();
    this.server = http.createServer((request, response) => this.#serve(request, response));
    this.pubsub = net.createServer((socket) => this.#pipe(socket));
    await listen(this.server, rpcPort, bindAddress);
    await listen(this.pubsub, rpcPort + 1, bindAddress);
    this.log(`JSON RPC on ${bindAddress}:${rpcPort}`);
  }

  // What a graceful exit leaves: a snapshot of this very slot.
  async close() {
    this.closing = true;
    clearTimeout(this.timer);
    this.server?.close();
    this.#latest = await this.chain.snapshot();
    this.#write();
  }

  async snapshotNow() {
    await this.#snapshot();
    this.#write();
  }

  async #beginning() {
    const { fetchAllowed, trusted, maximumAge } = this.settings;
    const local = this.#read();
    const now = cluster.slotAt(Date.now());
    if (local) this.#written = local.slot;
    if (local && (!fetchAllowed || now - local.slot <= maximumAge)) return local;
    if (!fetchAllowed) {
      throw new Error(`no snapshot in ${this.settings.snapshots} and --no-snapshot-fetch: start once without that flag`);
    }
    if (this.peers.others.length === 0) return local;
    for (const began = Date.now(); ;) {
      await pause(500);
      const snapshot = await this.peers.fetchSnapshot(trusted);
      if (snapshot) return snapshot;
      const heard = this.peers.heard.length > 0;
      if (Date.now() - began < ALONE_MS || this.peers.cutOff || (heard && this.peers.heard.some((peer) => !peer.starting))) continue;
      // Nobody has begun: all nodes that start together begin alike, from genesis' accounts.
      return null;
    }
  }

  #read() {
    const [newest] = this.#files().sort((one, other) => slotIn(other) - slotIn(one));
    return newest ? JSON.parse(fs.readFileSync(path.join(this.settings.snapshots, newest), 'utf8')) : null;
  }

  #files() {
    return fs.readdirSync(this.settings.snapshots).filter((name) => SNAPSHOT.test(name));
  }

  async #snapshot() {
    this.#latest = await this.chain.snapshot();
    if (this.#latest.slot - this.#written >= this.settings.snapshotSlots) this.#write();
  }

  #write() {
    const { snapshots } = this.settings;
    const file = path.join(snapshots, `snapshot-${this.#latest.slot}.json`);
    fs.writeFileSync(`${file}.new`, JSON.stringify(this.#latest));
    fs.renameSync(`${file}.new`, file);
    this.#written = this.#latest.slot;
    const old = this.#files().sort((one, other) => slotIn(other) - slotIn(one)).slice(SNAPSHOTS_KEPT);
    for (const name of old) fs.rmSync(path.join(snapshots, name));
  }

  #follow() {
    this.timer = setTimeout(async () => {
      await this.#tick().catch((error) => this.log(`slot ${this.chain.slot}: ${error.message}`));
      if (!this.closing) this.#follow();
    }, TICK_MS);
  }

  async #tick() {
    const now = Date.now();
    this.#credit = Math.min(this.#credit + ((now - this.#ticked) * this.speed) / 1000, this.speed);
    this.#ticked = now;
    if (this.frozen || this.peers.cutOff) return;
    const wanted = Math.min(cluster.slotAt(now), this.chain.slot + Math.floor(this.#credit));
    while (this.chain.slot < wanted && await this.chain.advance(this.chain.slot + 1)) this.#credit -= 1;
    if (this.chain.slot - this.#latest.slot >= SNAPSHOT_SLOTS) {
      this.#latest.slot = this.chain.slot; // not again before this one is made
      this.#snapshot().catch((error) => this.log(`snapshot: ${error.message}`));
    }
    this.#apply().catch((error) => this.log(`peers' transactions: ${error.stack}`));
  }

  // Peers' transactions, in the order of slots. One may need another that is still to come.
  async #apply() {
    if (this.#applying || !this.#pending.length) return;
    this.#applying = true;
    try {
      const { slot } = this.chain;
      const due = this.#pending.filter((entry) => entry.slot <= slot).sort((one, other) => one.slot - other.slot);
      this.#pending = this.#pending.filter((entry) => entry.slot > slot);
      for (const entry of due) {
        const signature = signatureOf(Buffer.from(entry.transaction, 'base64'));
        if (this.chain.signatures.has(signature)) continue;
        const options = { encoding: 'base64', skipPreflight: entry.tries >= RETRY_SLOTS };
        const answer = await this.chain.execute('sendTransaction', [entry.transaction, options]);
        if (!answer.error) this.chain.executed(signature);
        else if (entry.tries < RETRY_SLOTS) this.#pending.push({ ...entry, slot: slot + 1, tries: entry.tries + 1 });
        else this.log(`transaction ${signature} of a peer: ${answer.error.message}`);
      }
    } finally {
      this.#applying = false;
    }
  }

  async #serve(request, response) {
    const send = (status, content, type = 'application/json') => {
      response.writeHead(status, { 'content-type': type }).end(content);
    };
    if (request.method === 'GET' && request.url === '/health') return send(200, this.rpc.health.word, 'text/plain');
    if (request.method !== 'POST') {
      return send(405, 'Used HTTP Method is not allowed. POST or OPTIONS is required\n', 'text/plain');
    }
    try {
      const parts = [];
      let size = 0;
      for await (const part of request) {
        size += part.length;
        if (size > this.settings.bodyBytes) return send(413, 'Request body is too large\n', 'text/plain');
        parts.push(part);
      }
      const asked = JSON.parse(Buffer.concat(parts).toString());
      const answer = Array.isArray(asked)
        ? await Promise.all(asked.map((one) => this.rpc.answer(one)))
        : await this.rpc.answer(asked);
      return send(200, JSON.stringify(answer));
    } catch (error) {
      const syntax = error instanceof SyntaxError;
      if (!syntax) this.log(`request: ${error.stack}`);
      const wrong = syntax ? { code: -32700, message: 'Parse error' } : { code: -32603, message: 'Internal error' };
      return send(200, JSON.stringify({ jsonrpc: '2.0', error: wrong, id: null }));
    }
  }

  // Subscriptions are Surfpool's own.
  #pipe(socket) {
    const { hostname, port } = this.chain.webSocket;
    const inner = net.connect(Number(port), hostname);
    this.#sockets.add(socket);
    const end = () => {
      this.#sockets.delete(socket);
      socket.destroy();
      inner.destroy();
    };
    for (const one of [socket, inner]) one.on('error', end).on('close', end);
    socket.pipe(inner).pipe(socket);
  }
}

const slotIn = (name) => Number(SNAPSHOT.exec(name)[1]);

function listen(server, port, host) {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`can't listen on ${host}:${port}: ${error.code}`)));
    server.listen(port, host, resolve);
  });
}

module.exports = { Node };
