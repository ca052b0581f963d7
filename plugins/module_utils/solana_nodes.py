"""What ails the nodes of a Solana fleet, and what to do: pure judgement on what was seen of them.

What was seen of a node is the result of drydock.ops.solana_health with its name as `item`; one
that could not be asked has no `health`, and says why in `msg` or is `unreachable`.
"""

from __future__ import annotations

import math
from typing import Any

CONFIGURE = "playbooks/configure-solana.yml --limit {node}"
# cure → what is done, and how that is taken back.
CURES = {
    "wait": ("keep {node} out until it has caught up", "it goes back in as soon as it has"),
    "restart": (
        "take {node} out, have it exit and start from its own state, wait until it has caught up, "
        "put it back",
        "none: a restart can't be taken back; {node} serves nobody meanwhile, as now",
    ),
    "kill": (
        "take {node} out, end its hung process, start it from its own state, wait until it has "
        "caught up, put it back",
        "none: {node} serves nobody meanwhile, as now",
    ),
    "rebuild": (
        "take {node} out, delete its ledger and accounts, fetch a snapshot from known validators, "
        "wait until it has caught up, put it back",
        "none: what is deleted comes from the cluster again",
    ),
    "front": ("restart the front (HAProxy) of {node}", "none is needed"),
    "service": ("restart the check of health of {node}", "none is needed"),
}


# Slots a second, of the cluster's 2.5: who is slower does not follow it, though it moves at times.
_CREEPS = 0.5


def ailment(node: dict[str, Any], want: dict[str, Any]) -> dict[str, Any]:
    """Return what one node has: node, cause, because (sentences), cure (empty: none of ours), to.

    want: the runbook's inputs cure (auto, restart, rebuild) and catch_up_minutes.
    Healthy nodes have no cause.
    """
    name = str(node["item"])
    found: dict[str, Any] = {"node": name, "cause": "", "because": [], "cure": "", "to": ""}
    if node.get("unreachable") or "health" not in node:
        return {**found, **_unasked(name, node)}
    health = node["health"]
    reasons = health["reasons"]
    found["because"] = [f"{name}: {text}" for text in reasons.values()]
    if "maintenance" in reasons:
        return {**found, "cause": f"somebody has taken {name} out", "to": "whoever did"}
    if health["healthy"]:
        if health["served"] == 200:
            return found
        said = f"{name} is healthy, but its check answers {health['served'] or 'nothing'}"
        return {**found, "cause": said, "because": [said], "cure": "service"}
    if "genesis" in reasons:
        return {
            **found,
            "cause": f"{name} follows another cluster",
            "to": CONFIGURE.format(node=name),
        }
    if set(reasons) == {"no_reference"}:
        return {
            **found,
            "cause": f"{name} can't reach what it is held against",
            "to": "whoever answers for the network, or for solana_rpc_references",
        }
    if set(reasons) == {"front"}:
        return {**found, "cause": f"the front of {name} is down", "cure": "front"}
    return {**found, **_behind(name, health, want)}


def _unasked(name: str, node: dict[str, Any]) -> dict[str, Any]:
    said = str(node.get("msg") or "no answer").strip()
    if node.get("unreachable"):
        return {
            "cause": f"{name} can't be reached",
            "because": [f"{name}: {said}"],
            "to": "Auto Scaling, which replaces an instance that is dead; one that only hangs: "
            f"aws autoscaling terminate-instance-in-auto-scaling-group --instance-id {name} "
            "--no-should-decrement-desired-capacity; then playbooks/configure-solana.yml",
        }
    return {
        "cause": f"{name} can't be judged",
        "because": [f"{name}: {said}"],
        "to": CONFIGURE.format(node=name),
    }


def _behind(name: str, health: dict[str, Any], want: dict[str, Any]) -> dict[str, Any]:
    """The node's own trouble: it hangs, stands still, or is behind."""
    reasons, behind, gain = health["reasons"], health["slots_behind"], health["gain"]
    state = health["unit"].get("ActiveState", "unknown")
    because = [f"{name}: {text}" for text in reasons.values()]
    if state not in ("active", "activating", "reloading"):
        cause, cure = f"the node on {name} does not run (systemd: {state})", "restart"
    elif "no_answer" in reasons:
        cause, cure = f"the node on {name} runs, but does not answer", "kill"
    elif "stands_still" in reasons or health.get("pace", _CREEPS) < _CREEPS:
        cause, cure = f"the slot of {name} stands still", "restart"
        if "own_word" not in reasons:
            because.append(f'{name} says "ok" of itself, which the other nodes disprove')
    elif behind and gain and gain > 0 and behind / gain <= 60 * want["catch_up_minutes"]:
        minutes = math.ceil(behind / gain / 60)
        cause, cure = f"{name} is behind, and catches up by itself", "wait"
        because.append(f"{name}: it comes nearer by {gain} slots a second: {minutes} min to go")
    else:
        cause, cure = f"{name} is behind and does not come nearer", "restart"
        because.append(f"{name}: it comes nearer by {gain or 0} slots a second")
    if want["cure"] != "auto":
        cure = want["cure"]
    return {"cause": cause, "because": because, "cure": cure}


def decide(nodes: list[dict[str, Any]], want: dict[str, Any]) -> dict[str, Any]:
    """Return the runbook's decision, with `nodes`: [{node, cure}] in the order to cure them."""
    ailing = [one for one in (ailment(node, want) for node in nodes) if one["cause"]]
    sound = len(nodes) - len(ailing)
    if want.get("node"):
        ailing = [one for one in ailing if one["node"] == want["node"]]
    base = {"action": "none", "plan": [], "undo": [], "nodes": [], "to": ""}
    if not nodes:
        return {
            **base,
            "cause": "the inventory has no node",
            "because": ["the group solana_rpc is empty"],
            "action": "hand_over",
            "to": "the same command with -i inventories/nodes/… besides, which finds them; where "
            "there are none: playbooks/provision.yml --limit solana",
        }
    if not ailing:
        said = f"{sound} of {len(nodes)} nodes are healthy, as their load balancer is told"
        return {**base, "cause": "no node that was asked about ails (any more)", "because": [said]}
    cured = [one for one in ailing if one["cure"]][: want["max_nodes"]]
    base["cause"] = "; ".join(one["cause"] for one in ailing)
    base["because"] = [text for one in ailing for text in one["because"]]
    base["because"].append(f"{sound} of {len(nodes)} nodes are healthy")
    base["to"] = "; ".join(one["to"] for one in ailing if one["to"])
    if not cured:
        return {**base, "action": "hand_over"}
    if not sound and len(nodes) > 1 and want["cure"] == "auto":
        base["because"].append("all of them at once: it is the cluster or the network, not a node")
        return {
            **base,
            "action": "hand_over",
            "to": "https://status.solana.com and whoever answers for the network; to restart them "
            "all the same, one after another: -e cure=restart",
        }
    words = [[text.format(node=one["node"]) for text in CURES[one["cure"]]] for one in cured]
    return {
        **base,
        "action": "cure",
        "plan": [plan for plan, _ in words],
        "undo": [undo for _, undo in words],
        "nodes": [{"node": one["node"], "cure": one["cure"]} for one in cured],
    }
