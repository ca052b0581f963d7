"""Who and what overloads Solana's RPC nodes, and what to do: figures in, a decision out.

The figures are those of apps/rpc_cache. What counts is the nodes' time, not the number of calls:
one getProgramAccounts costs them more than a thousand getSlot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LATE_MS = 500.0  # p95 of a call at the nodes; the threshold of the alarm
DOMINANT = 0.5  # share of the nodes' time from which on one caller or method is the cause
REPEATED = 0.1  # share of a method's calls that the cache answers, from which on longer helps
USUAL = 1.5  # how much more than before is left to who is limited
STRANGER = 0.1  # share of its calls that is left to who was not there before
LONGER = 10.0  # seconds that answers of a method are kept which many ask for
FACTOR_MAX = 10.0
LEAST = 1.0  # calls a second, below which nobody is limited


@dataclass(frozen=True)
class Flow:
    """Of one caller or method, per second: calls of the nodes and their ms, now and before.

    hits, calls: out of the cache, and in all, now. limited: refused now.
    """

    name: str
    node_ms: float
    node_calls: float
    before: float
    calls: float = 0.0
    hits: float = 0.0
    limited: float = 0.0


@dataclass(frozen=True)
class Load:
    """What was seen.

    Attributes:
        late: p95 of a call at the nodes in ms, None where none was made; late_before: as a rule.
        wanted, healthy: nodes of the fleet; most: that it may have; 0 where there is no fleet.
        settings: variables of the running revision.
    """

    late: float | None
    late_before: float | None
    callers: Sequence[Flow]
    methods: Sequence[Flow]
    wanted: int = 0
    healthy: int = 0
    most: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)

    def setting(self, name: str) -> dict[str, float]:
        """A variable that holds JSON."""
        return json.loads(self.settings.get(name) or "{}")


def decide(load: Load, spared: Sequence[str] = (), scale_out: bool = True) -> dict[str, Any]:
    """Return what overloads the nodes and what to do.

    spared: callers that are never limited. scale_out: whether nodes may be added.
    Returns a dict of cause; action (none, tighten, hand_over); because, plan, undo, follow_up:
    sentences; variables: for the cache's next revision; nodes: of the fleet, 0 to leave it; to.
    """
    because = [_latency(load)]
    if load.wanted:
        because.append(f"{load.healthy} of {load.wanted} nodes are healthy, {load.most} at most")
    if load.late is None:
        if load.wanted and not load.healthy:
            return _hand_over("no node is healthy", because, "runbooks/solana-node-lagging.yml")
        return _made("no call reaches the nodes now", "none", because)
    if load.late <= LATE_MS:
        return _made("nothing is late now", "none", [*because, "the alarm follows"])
    for flows in (load.callers, load.methods):
        total = sum(one.node_ms for one in flows)
        top = sorted(flows, key=lambda one: -one.node_ms)[:3]
        kind = "caller" if flows is load.callers else "method"
        because += [f"{kind} {one.name}: {_flow(one, total)}" for one in top]
    caller = _dominant(load.callers)
    if caller and caller.name not in spared and _grown(caller):
        return _limit(load, "CALLER_LIMITS", "caller", caller, because)
    if load.wanted > load.healthy:
        sick = f"{load.wanted - load.healthy} of {load.wanted} nodes are not healthy"
        return _hand_over(sick, because, "runbooks/solana-node-lagging.yml")
    method = _dominant(load.methods)
    if method and method.calls and method.hits / method.calls >= REPEATED:
        kept = load.setting("METHOD_TTLS").get(method.name, 0)
        if kept < LONGER:
            return _made(
                f"{method.name} takes {_share(method, load.methods)} of the nodes' time, for many "
                "callers who ask the same",
                "tighten",
                because,
                plan=[f"keep answers of {method.name} for {LONGER:g} s"],
                variables=_with(load, "METHOD_TTLS", method.name, LONGER),
            )
    if method and _grown(method):
        return _limit(load, "METHOD_LIMITS", "method", method, because)
    return _all(load, because, scale_out)


def _dominant(flows: Sequence[Flow]) -> Flow | None:
    """The one that takes half of the nodes' time; what is many ("other") is no one."""
    total = sum(one.node_ms for one in flows)
    top = max((one for one in flows if one.name != "other"), key=lambda one: one.node_ms,
              default=None)  # fmt: skip
    return top if top and total and top.node_ms >= DOMINANT * total else None


def _grown(flow: Flow) -> bool:
    return flow.node_calls > USUAL * flow.before and flow.node_calls > LEAST


def _limit(load: Load, variable: str, kind: str, flow: Flow, because: list[str]) -> dict[str, Any]:
    has = load.setting(variable).get(flow.name)
    rate = USUAL * flow.before if flow.before else STRANGER * flow.node_calls
    if has is not None:
        because = [*because, f"{kind} {flow.name} is limited to {has:g}/s already"]
        rate = min(rate, has / 2)
    rate = max(LEAST, float(f"{rate:.2g}"))
    if has is not None and rate >= has:
        return _hand_over(
            f"{kind} {flow.name} overloads the nodes at its least limit of {has:g}/s",
            because,
            "look at the nodes themselves: they serve less than they should",
        )
    flows = load.callers if kind == "caller" else load.methods
    what = "one caller" if kind == "caller" else "one method, of many callers,"
    return _made(
        f"{what} takes {_share(flow, flows)} of the nodes' time: {flow.name}",
        "tighten",
        because,
        plan=[f"limit {kind} {flow.name} to {rate:g} calls a second that reach the nodes "
              f"(now {flow.node_calls:.3g}, before {flow.before:.3g})"],
        variables=_with(load, variable, flow.name, rate),
        follow_up=[f"tell who {flow.name} is"] if kind == "caller" else [],
    )  # fmt: skip


def _all(load: Load, because: list[str], scale_out: bool) -> dict[str, Any]:
    """Everyone asks more: keep all answers longer, and have another node."""
    plan, variables, nodes = [], {}, 0
    factor = float(load.settings.get("TTL_FACTOR") or 1)
    calls = sum(one.calls for one in load.methods)
    repeated = calls and sum(one.hits for one in load.methods) / calls >= REPEATED
    if repeated and factor < FACTOR_MAX:
        longer = min(FACTOR_MAX, 3 * max(factor, 1))
        variables = {"TTL_FACTOR": f"{longer:g}"}
        plan.append(f"keep live answers {longer:g} times as long instead of {factor:g}")
    if scale_out and load.wanted and load.wanted < load.most:
        nodes = load.wanted + 1
        plan.append(f"have {nodes} nodes instead of {load.wanted}")
    top = _dominant(load.callers)
    cause = (
        f"the nodes are late for {top.name}, who asks for most and for no more than before"
        if top
        else "many callers ask for much, none and nothing for half of it"
    )
    if not plan:
        known = "who asks for it may be limited (rpc_caller_limits in the inventory), or "
        more_nodes = "raise solana_fleet.max_size in the inventory and provision solana"
        return _hand_over(cause, because, known + more_nodes)
    more = ["a node takes its time to catch up before it serves"] if nodes else []
    return _made(cause, "tighten", [*because, *more], plan=plan, variables=variables, nodes=nodes)


def _with(load: Load, variable: str, name: str, value: float) -> dict[str, str]:
    changed = {**load.setting(variable), name: value}
    return {variable: json.dumps(changed, sort_keys=True)}


def _share(flow: Flow, flows: Sequence[Flow]) -> str:
    total = sum(one.node_ms for one in flows)
    return f"{100 * flow.node_ms / total:.0f} %"


def _flow(flow: Flow, total: float) -> str:
    words = f"{100 * flow.node_ms / total:.0f} % of the nodes' time, " if total else ""
    words += f"{flow.node_calls:.3g} calls of them a second, before {flow.before:.3g}"
    if flow.calls:
        words += f"; {100 * flow.hits / flow.calls:.0f} % out of the cache"
    return words + (f"; {flow.limited:.3g}/s refused" if flow.limited else "")


def _latency(load: Load) -> str:
    if load.late is None:
        return "no call of the nodes was measured"
    before = "no data" if load.late_before is None else f"{load.late_before:.0f} ms"
    return f"p95 of a call at the nodes is {load.late:.0f} ms, before {before}"


def _hand_over(cause: str, because: list[str], to: str) -> dict[str, Any]:
    return _made(cause, "hand_over", because, to=to)


def _made(cause: str, action: str, because: list[str], **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "plan": [], "undo": [], "follow_up": [], "variables": {}, "nodes": 0, "to": "",
    }  # fmt: skip
    made = {"cause": cause, "action": action, "because": because, **empty, **more}
    if made["variables"]:
        made["undo"] = ["the revision before is rolled out again if the alarm stays red"]
        made["follow_up"] = [
            *made["follow_up"],
            "put what is to stay into the inventory (rpc_* in group_vars): the next deploy of "
            "rpc_cache brings its values back",
        ]
    if made["nodes"]:
        made["undo"] = [*made["undo"], "the fleet's number of nodes is set back too"]
    return made
