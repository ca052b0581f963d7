"""The cost of an environment for people: lines, Markdown, and a page with a chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.prices import Cost

DEAREST = 15
WIDTH, LEFT, RIGHT, ROW, BAR = 900, 120, 90, 30, 18
# Colours that stay apart for the colour-blind (Okabe and Ito), then greys.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#7f7f7f")
OTHERS = "others"


def money(amount: float) -> str:
    """Return US dollars with cents, as people write them."""
    return f"${amount:,.2f}" if amount >= 0 else f"-${-amount:,.2f}"


def lines(cost: Cost, environment: str, by_nodes: Mapping[int, Cost] | None = None) -> list[str]:
    """Return the cost as a short table for a terminal.

    by_nodes: what it would be by the number of Solana nodes.
    """
    made = [
        f"{environment}: {money(cost.total)} a month, {money(cost.assumed)} of it on assumptions"
    ]
    made += [
        f"with {_nodes(count)}: {money(other.total)} a month, {money(other.assumed)} on assumptions"
        for count, other in (by_nodes or {}).items()
    ]
    for title, key in (("stack", "stack"), ("service", "service")):
        made.append(f"by {title}")
        made += [
            f"  {name or '?':<24} {money(amount):>12}" for name, amount in cost.by(key).items()
        ]
    made += [f"no known price: {address}: {why}" for address, why in cost.unknown.items()]
    return made


def _nodes(count: int) -> str:
    return {0: "no Solana node", 1: "one Solana node"}.get(count, f"{count} Solana nodes")


def markdown(
    cost: Cost,
    environment: str,
    assumptions: Mapping[str, tuple[float, str]],
    by_nodes: Mapping[int, Cost] | None = None,
) -> str:
    """Return the cost as a section of Markdown.

    Args:
        assumptions: name → (amount in this environment, what it is about), as in usage.yml.
        by_nodes: what it would be by the number of Solana nodes.
    """
    parts = [
        f"## {environment}: {money(cost.total)} a month",
        f"{money(cost.assumed)} of it stand on the assumptions below; the rest is there every "
        "month whatever happens.",
    ]
    if by_nodes:
        rows = [
            [_nodes(count), money(other.total), money(other.assumed)]
            for count, other in by_nodes.items()
        ]
        parts.append(_table(["With", "a month", "of it assumed"], rows))
    for title, key in (
        ("Stack", "stack"),
        ("Service of AWS", "service"),
        ("Tag Service", "tag:Service"),
    ):
        rows = [
            [name or "?", money(amount)] for name, amount in cost.by(key).items() if amount >= 0.005
        ]
        parts.append(_table([title, "a month"], rows))
    parts.append(f"The dearest {DEAREST} resources:")
    dearest = list(cost.by("address").items())[:DEAREST]
    parts.append(
        _table(["Resource", "a month"], [[f"`{name}`", money(paid)] for name, paid in dearest])
    )
    standing: Counter[str] = Counter()
    for item in cost.items:
        if item.assumed:
            standing[item.assumed] += item.monthly  # type: ignore[assignment]
    rows = [
        [f"`{name}`", assumptions[name][1], f"{assumptions[name][0]:g}", money(paid)]
        for name, paid in standing.most_common()
        if paid >= 0.005
    ]
    parts.append("Assumptions (costs/usage.yml), and what stands on each:")
    parts.append(_table(["Assumption", "About", "Amount", "a month"], rows))
    parts.append(_gaps(cost))
    return "\n\n".join(parts) + "\n"


def _gaps(cost: Cost) -> str:
    count = sum(cost.free.values())
    text = f"{count} resources of {len(cost.free)} types cost nothing by themselves. "
    if not cost.unknown:
        return text + "Every other one has a price."
    rows = [[f"`{address}`", why] for address, why in cost.unknown.items()]
    return (
        text
        + f"**{len(rows)} have no known price and are not in the sum:**\n\n"
        + _table(["Resource", "Why"], rows)
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = [f"| {' | '.join(row)} |" for row in rows]
    right = ("a month", "of it assumed", "Amount")
    ends = ["---:" if name in right else "---" for name in head]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'|'.join(ends)}|", *body])


def html(cost: Cost, environment: str, about: str) -> str:
    """Return a page that opens offline: a chart of stacks by service, and every line of the bill.

    about: a sentence on where the figures come from.
    """
    services = list(cost.by("service"))
    shown = services[: len(COLOURS) - 1]
    names = [*shown, OTHERS] if len(services) > len(shown) else shown
    bars: dict[str, Counter[str]] = {}
    for item in cost.items:
        name = item.service if item.service in shown else OTHERS
        bars.setdefault(item.stack or "?", Counter())[name] += item.monthly  # type: ignore[assignment]
    rows = "".join(
        f"<tr><td>{escape(item.stack)}</td><td>{escape(item.address)}</td>"
        f"<td>{escape(item.service)}</td><td>{escape(item.what)}</td>"
        f"<td class=n>{item.quantity:,.6g}</td><td>{escape(item.unit)}</td>"
        f"<td class=n>{item.price:.6g}</td><td class=n>{money(item.monthly)}</td>"
        f"<td>{escape(item.assumed)}</td></tr>"
        for item in sorted(cost.items, key=lambda one: -one.monthly)
    )
    unknown = "".join(
        f"<li><code>{escape(address)}</code>: {escape(why)}</li>"
        for address, why in cost.unknown.items()
    )
    title = f"{environment}: {money(cost.total)} a month"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><main><h1>{escape(title)}</h1><p>{escape(about)} "
        f"{money(cost.assumed)} stand on assumptions.</p>{chart(bars, names)}"
        + (f"<h2>No known price</h2><ul>{unknown}</ul>" if unknown else "")
        + "<h2>Every line</h2><table><tr><th>Stack<th>Resource<th>Service<th>What<th>Quantity<th>"
        f"Unit<th>Price<th>A month<th>Assumption</tr>{rows}</table></main></html>\n"
    )


STYLE = """
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5d6670;--line:#d9dde1;--bg:#fbfbf9}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8ea;--soft:#9aa4ae;--line:#343a40;--bg:#14171a}}
body{margin:0;background:var(--bg);color:var(--ink);
font:14px/1.5 system-ui,"DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 20px 60px}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:3px 8px;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto}svg text{fill:var(--ink);font:13px system-ui,"DejaVu Sans",sans-serif}
"""


def chart(bars: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> str:
    """Return an SVG: a bar for each stack, the dearest first, made of its services."""
    order = sorted(bars, key=lambda stack: -sum(bars[stack].values()))
    most = max((sum(bars[stack].values()) for stack in order), default=0) or 1.0
    colours = dict(zip(names, COLOURS, strict=False))
    height = ROW * (len(order) + 1 + (len(names) + 3) // 4) + 10
    out = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Cost by stack and service">'
    ]
    for number, stack in enumerate(order):
        top, x = number * ROW + 6, float(LEFT)
        out.append(f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(stack)}</text>')
        for name in names:
            amount = bars[stack].get(name, 0)
            width = amount / most * (WIDTH - LEFT - RIGHT)
            if width < 0.1:
                continue
            out.append(
                f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" '
                f'fill="{colours[name]}"><title>{escape(name)}: {money(amount)}</title></rect>'
            )
            x += width
        out.append(
            f'<text x="{x + 6:.1f}" y="{top + 14}">{money(sum(bars[stack].values()))}</text>'
        )
    for number, name in enumerate(names):
        x, y = LEFT + number % 4 * 190, (len(order) + number // 4) * ROW + 16
        out.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colours[name]}"/>')
        out.append(f'<text x="{x + 18}" y="{y + 11}">{escape(name)}</text>')
    return "".join([*out, "</svg>"])


def facts(cost: Cost, by_nodes: Mapping[int, Cost] | None = None) -> dict[str, Any]:
    """Return the cost as plain data, for a playbook or another tool."""
    return {
        "total": round(cost.total, 2),
        "assumed": round(cost.assumed, 2),
        "by_stack": {name: round(paid, 2) for name, paid in cost.by("stack").items()},
        "by_service": {name: round(paid, 2) for name, paid in cost.by("service").items()},
        "by_tag": {
            tag: {name: round(paid, 2) for name, paid in cost.by(f"tag:{tag}").items()}
            for tag in ("Environment", "Service", "Owner", "CostCenter", "Stack")
        },
        "by_nodes": {
            count: {"total": round(other.total, 2), "assumed": round(other.assumed, 2)}
            for count, other in (by_nodes or {}).items()
        },
        "free": dict(cost.free),
        "unknown": cost.unknown,
    }
