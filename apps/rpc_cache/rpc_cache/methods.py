"""Which answers may be kept, for how long, and under which name.

A slot lasts 0.4 s. What changes with the chain is kept for about as long as callers couldn't have
told anyway; what is final is kept for an hour. Names, positions of the configuration object and
the default commitment (finalized) are those of Agave's RPC (solana.com/docs/rpc/http).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

LEVELS = ("processed", "confirmed", "finalized")
HOUR = 3600.0
# However often the factor is turned up: nobody is told a state of the chain that is older.
LIVE_MAX = 15.0
# An answer of nothing is kept this long at most: the transaction may be there with the next slot.
NOTHING_MAX = 0.4


@dataclass(frozen=True)
class Rule:
    """Seconds to keep an answer by commitment, and where the configuration object stands.

    live: the answer changes with the chain, so the factor applies to it.
    """

    processed: float
    confirmed: float
    finalized: float
    config: int = 0
    live: bool = True


def _tip(config: int = 0) -> Rule:
    return Rule(0.2, 0.4, 0.8, config)


def _account(config: int = 1) -> Rule:
    return Rule(0.2, 0.4, 1.0, config)


def _wide(config: int) -> Rule:
    """Answers that a node walks through many accounts for."""
    return Rule(0.4, 1.0, 2.0, config)


def _slow(seconds: float, config: int = 0) -> Rule:
    return Rule(seconds, seconds, seconds, config)


def _fixed(config: int = 0) -> Rule:
    """The same for ever, as long as the network lives."""
    return Rule(HOUR, HOUR, HOUR, config, live=False)


# Of what is confirmed only, a fork may still be dropped.
_HISTORY = Rule(0.4, 2.0, HOUR, 1, live=False)

RULES: Mapping[str, Rule] = {
    "getSlot": _tip(),
    "getBlockHeight": _tip(),
    "getEpochInfo": _tip(),
    "getTransactionCount": _tip(),
    # Good for 150 slots from when it was given.
    "getLatestBlockhash": Rule(0.4, 0.8, 1.0),
    "getFeeForMessage": _account(),
    "getAccountInfo": _account(),
    "getBalance": _account(),
    "getMultipleAccounts": _account(),
    "getTokenAccountBalance": _account(),
    "getTokenSupply": _account(),
    "getSignatureStatuses": Rule(0.2, 0.2, 0.2, 1),
    "getSignaturesForAddress": _wide(1),
    "getProgramAccounts": _wide(1),
    "getTokenAccountsByOwner": _wide(2),
    "getTokenAccountsByDelegate": _wide(2),
    "getTokenLargestAccounts": _wide(1),
    "getRecentPrioritizationFees": _tip(1),
    "getRecentPerformanceSamples": _slow(5, 1),
    "getLargestAccounts": _slow(10),
    "getSupply": _slow(10),
    "getVoteAccounts": _slow(5),
    "getClusterNodes": _slow(10),
    "getStakeMinimumDelegation": _slow(10),
    "getInflationGovernor": _slow(10),
    "getInflationRate": _slow(10),
    "getLeaderSchedule": _slow(10, 1),
    "getSlotLeader": _tip(),
    "getSlotLeaders": _tip(2),
    "getVersion": _slow(10),
    "getMinimumBalanceForRentExemption": _fixed(1),
    "getGenesisHash": _fixed(),
    "getEpochSchedule": _fixed(),
    "getBlock": _HISTORY,
    "getBlockTime": Rule(2.0, 2.0, HOUR, 1, live=False),
    "getTransaction": _HISTORY,
}

# Passed on each time: they act, they are about one node, or a late answer would be a wrong one.
PASSED_ON = (
    "sendTransaction",
    "simulateTransaction",
    "requestAirdrop",
    "isBlockhashValid",
    "getHealth",
    "getIdentity",
    "getFirstAvailableBlock",
    "getHighestSnapshotSlot",
    "getMaxRetransmitSlot",
    "getMaxShredInsertSlot",
    "getBlockCommitment",
    "getBlockProduction",
    "getBlocks",
    "getBlocksWithLimit",
    "getInflationReward",
    "minimumLedgerSlot",
)
# May have had their effect although no answer came, so they are never sent twice.
ACTING = frozenset({"sendTransaction", "requestAirdrop"})
SUBSCRIPTIONS = tuple(
    f"{kind}{verb}"
    for kind in ("account", "block", "logs", "program", "root", "signature", "slot",
                 "slotsUpdates", "vote")
    for verb in ("Subscribe", "Unsubscribe")
)  # fmt: skip
KNOWN = frozenset((*RULES, *PASSED_ON, *SUBSCRIPTIONS))


def metric_name(method: str) -> str:
    """The method as metrics name it: what callers make up must not become a metric each."""
    return method if method in KNOWN else "other"


@dataclass(frozen=True)
class Plan:
    """How one call is cached: the name of its answer, and the seconds it may be kept."""

    key: str
    ttl: float

    def ttl_of(self, result: Any) -> float:
        """Seconds for this very answer."""
        return min(self.ttl, NOTHING_MAX) if result is None else self.ttl


def plan(
    method: str, params: Any, factor: float = 1.0, ttls: Mapping[str, float] | None = None
) -> Plan | None:
    """How to cache a call; None where it is passed on each time.

    Args:
        factor: live answers are kept so many times longer, up to LIVE_MAX seconds.
        ttls: method → seconds that replace the rule's, 0 for never.
    """
    rule = RULES.get(method)
    if rule is None or not isinstance(params, list) or len(params) > rule.config + 1:
        return None
    config = params[rule.config] if len(params) > rule.config else None
    if isinstance(config, str):  # The old form of getTransaction and getBlock: an encoding.
        config = {"encoding": config}
    if config is not None and not isinstance(config, dict):
        return None
    rest = dict(config or {})
    level = rest.pop("commitment", None) or "finalized"
    if level not in LEVELS or "minContextSlot" in rest:
        return None
    ttl = getattr(rule, level)
    if ttls and method in ttls:
        ttl = ttls[method]
    elif rule.live:
        # Never shortened by the cap: some rules say more than it.
        ttl = min(ttl * factor, max(ttl, LIVE_MAX))
    if ttl <= 0:
        return None
    rest = {name: value for name, value in rest.items() if value is not None}
    name = orjson.dumps([params[: rule.config], rest], option=orjson.OPT_SORT_KEYS)
    if len(name) > 128:
        name = hashlib.sha256(name).hexdigest().encode()
    return Plan(f"{method}:{level}:{name.decode()}", ttl)
