// Solana's keys and texts: base58, and Ed25519 pairs as a JSON array of 64 numbers.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');

const LETTERS = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
// What stands before a raw seed in the PKCS#8 form that Node.js reads.
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

function base58(bytes) {
  let text = '';
  for (let rest = BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`); rest > 0n; rest /= 58n) {
    text = LETTERS[Number(rest % 58n)] + text;
  }
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(zeros < 0 ? bytes.length : zeros) + text;
}

// The bytes of a base58 text, or null where it is none of that length.
function unbase58(text, length) {
  let number = 0n;
  for (const letter of text) {
    const digit = LETTERS.indexOf(letter);
    if (digit < 0) return null;
    number = number * 58n + BigInt(digit);
  }
  const hex = number.toString(16);
  if (hex.length > length * 2) return null;
  const bytes = Buffer.from(hex.padStart(length * 2, '0'), 'hex');
  return base58(bytes) === text ? bytes : null;
}

const isPubkey = (text) => unbase58(text, 32) !== null;

function fromSeed(seed) {
  const privateKey = crypto.createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const spki = crypto.createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey = spki.subarray(-32);
  return { privateKey, publicKey, address: base58(publicKey), secret: [...seed, ...publicKey] };
}

// Reads a keypair's file; the error names it but shows nothing of what is in it.
function read(path) {
  let numbers;
  try {
    numbers = JSON.parse(fs.readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`Unable to load keypair from ${path}: ${error.code ?? 'it is not JSON'}`);
  }
  const whole = Array.isArray(numbers) && numbers.length === 64 &&
    numbers.every((one) => Number.isInteger(one) && one >= 0 && one < 256);
  const pair = whole && fromSeed(Buffer.from(numbers.slice(0, 32)));
  if (!pair || Buffer.compare(pair.publicKey, Buffer.from(numbers.slice(32)))) {
    throw new Error(`Unable to load keypair from ${path}: it is not a keypair of 64 numbers`);
  }
  return pair;
}

module.exports = { base58, fromSeed, isPubkey, read, unbase58 };
