// The command line, judged as agave-validator judges it: what this version does not take stops it.
'use strict';

const { aliases, takes, short, port_range_width: portRangeWidth } = require('./flags.json');

class Refused extends Error {}

// words → {name: true | [values]}. `known`: name → switch, value, optional, list or loose.
function parse(words, known = takes, others = aliases) {
  const given = {};
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(word);
    const named = match ? match[1] : short[word];
    const name = others[named] ?? named;
    const kind = known[name];
    if (!kind) {
      throw new Refused(`error: Found argument '${word}' which wasn't expected, or isn't valid in this context`);
    }
    let value = match?.[2];
    const next = words[at + 1];
    const follows = next !== undefined && !next.startsWith('--') && !(next in short);
    if (kind !== 'switch' && value === undefined && follows) {
      value = next;
      at += 1;
    }
    if (kind === 'switch' && value !== undefined) {
      throw new Refused(`error: The argument '--${name}' takes no value, but '${value}' was given`);
    }
    if (['value', 'list'].includes(kind) && !value) {
      throw new Refused(`error: The argument '--${name} <value>' requires a value but none was supplied`);
    }
    if (['switch', 'value', 'optional'].includes(kind) && name in given) {
      throw new Refused(`error: The argument '--${name}' was provided more than once, but cannot be used multiple times`);
    }
    given[name] = value === undefined ? true : [...(given[name] ?? []), value];
  }
  return given;
}

function port(given, name, otherwise) {
  const text = given[name]?.[0] ?? String(otherwise);
  if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 65535) {
    throw new Refused(`error: Invalid value for '--${name} <PORT>': ${text} is not a port, give 1 to 65535`);
  }
  return Number(text);
}

function portRange(given) {
  const text = given['dynamic-port-range']?.[0] ?? '8000-8030';
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (!first || Number(last) > 65535 || Number(last) - Number(first) < portRangeWidth) {
    throw new Refused(
      `error: Invalid value for '--dynamic-port-range <MIN_PORT-MAX_PORT>': ${text}: Port range is too small.  ` +
        `Try --dynamic-port-range ${first ?? 8000}-${Number(first ?? 8000) + portRangeWidth}`);
  }
  return Number(first);
}

module.exports = { Refused, parse, port, portRange };
