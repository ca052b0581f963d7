"""The report of a runbook: one HTML page that opens offline, made from the evidence record."""

from __future__ import annotations

import json
from datetime import datetime
from html import escape
from itertools import groupby
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.chart import Mark, clock, draw

TOGETHER = 3  # more actions than these within a second are drawn as one
# Outcome → (colour class, words).
OUTCOMES = {
    "mended": ("good", "Mended"),
    "nothing to do": ("calm", "Nothing to do"),
    "nothing to mend": ("calm", "Nothing to mend"),
    "rehearsed": ("calm", "Rehearsed, nothing changed"),
    "failed": ("bad", "Failed"),
    "interrupted": ("bad", "Broken off"),
    "open": ("bad", "Not closed"),
}
STYLE = """
:root{color-scheme:light dark;--bg:#fbfbf9;--card:#fff;--ink:#1c2024;--soft:#5d6670;--line:#d9dde1;
--good:#0b7a4b;--bad:#b3261e;--calm:#35618f;--curve:#2456a6;--act:#7a4bb0;--limit:#b3261e;
--shade:#b3261e14;--badge:#fff}
@media (prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--ink:#e6e8ea;--soft:#9aa4ae;
--line:#343a40;--good:#4cc38a;--bad:#ff8078;--calm:#7fb0e6;--curve:#86b3ff;--act:#c7a0f5;
--limit:#ff8078;--shade:#ff807826;--badge:#14171a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",
"DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:24px;margin:0 0 2px}h2{font-size:17px;margin:32px 0 8px}
.good{color:var(--good)}.bad{color:var(--bad)}.calm{color:var(--calm)}.soft{color:var(--soft)}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px 18px}
.head{border-left:6px solid currentColor}.head>*{color:var(--ink)}
.head .outcome{font-size:20px;font-weight:700;margin:0;color:inherit}
.head .outcome b{font-size:30px;margin-right:6px}
.bar{display:flex;height:12px;border-radius:6px;overflow:hidden;margin:12px 0 6px;
background:var(--line)}
.bar i{display:block;background:var(--act)}.bar u{display:block;background:var(--calm)}
.key i,.key u{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px;
background:var(--act)}.key u{background:var(--calm);margin-left:18px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:12px 0 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600;color:var(--soft)}
th,td{padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}
th,td.t{white-space:nowrap}td.t{font-variant-numeric:tabular-nums}
.narrow td:not(:last-child),.narrow th:not(:last-child){width:1%;white-space:nowrap}
.card>:first-child{margin-top:0}
.wrap{overflow-x:auto}ul{margin:0;padding-left:20px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px;margin:8px 0 0}
summary{cursor:pointer;color:var(--calm)}details{margin-top:12px}
.tag{display:inline-block;min-width:20px;height:20px;border-radius:10px;padding:0 5px;
text-align:center;font-size:12px;line-height:20px;font-weight:700;color:var(--badge);
background:var(--act)}
.tag.red,.tag.undone,.tag.fault{background:var(--bad)}.tag.green{background:var(--good)}
.tag.opened,.tag.closed{background:var(--calm)}
svg{display:block;width:100%;height:auto;min-width:680px;font:12px system-ui,"DejaVu Sans",
sans-serif}
svg .name{font-weight:600;fill:var(--ink)}svg .about{font-weight:400;fill:var(--soft)}
svg .plot{fill:none;stroke:var(--line)}svg .grid{stroke:var(--line);stroke-dasharray:1 4}
svg .value{fill:var(--soft);text-anchor:end;font-size:11px}
svg .time{fill:var(--soft);text-anchor:middle;font-size:11px}
svg .empty{fill:var(--soft);text-anchor:middle}
svg .threshold{stroke:var(--limit);stroke-dasharray:6 4}
svg .limit{fill:var(--limit);text-anchor:end;font-size:11px}
svg .curve{fill:none;stroke:var(--curve);stroke-width:1.8;stroke-linejoin:round}
svg .dot{fill:var(--curve)}svg .redtime{fill:var(--shade)}
svg .mark line{stroke:var(--act);stroke-width:1.3}svg .mark rect{fill:var(--act)}
svg .mark text{fill:var(--badge);text-anchor:middle;font-size:11px;font-weight:700}
svg .red line,svg .undone line,svg .fault line{stroke:var(--bad)}
svg .red rect,svg .undone rect,svg .fault rect{fill:var(--bad)}
svg .green line{stroke:var(--good)}svg .green rect{fill:var(--good)}
svg .opened line,svg .closed line{stroke:var(--calm)}
svg .opened rect,svg .closed rect{fill:var(--calm)}
@media print{details>*{display:block}}
"""


def seconds(iso: str | None) -> float | None:
    """Return an ISO 8601 time as seconds since the epoch."""
    return datetime.fromisoformat(iso).timestamp() if iso else None


def _length(value: float) -> str:
    if value < 120:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {value % 60:.0f} s"


def actions(runbook: dict[str, Any]) -> list[dict[str, str]]:
    """Return what was done, by time: what modules say they did, else the steps of the journal."""
    done = runbook.get("actions") or [
        {"at": step["at"], "what": step["step"], "target": ""} for step in runbook.get("steps", [])
    ]
    return sorted(done, key=lambda one: one["at"])


def breach(runbook: dict[str, Any], red_since: float) -> float | None:
    """Return when the red alarms' metrics first left their limits: the fault as it shows.

    It is the first of the points out of limits that lead, without one in between that is within
    them, to the moment at which an alarm turned red; None where the curves don't show it.
    """
    out = {
        "GreaterThanThreshold": lambda value, limit: value > limit,
        "GreaterThanOrEqualToThreshold": lambda value, limit: value >= limit,
        "LessThanThreshold": lambda value, limit: value < limit,
        "LessThanOrEqualToThreshold": lambda value, limit: value <= limit,
    }
    reds = {one["name"] for one in runbook["alarms_before"] if one["state"] == "ALARM"}
    found = []
    for curve in runbook.get("metrics") or []:
        test = out.get(curve.get("comparison", ""))
        limit = curve.get("threshold")
        if not test or limit is None or curve["alarm"] not in reds:
            continue
        first = None
        for at, value in curve["points"]:
            if at > red_since:
                break
            first = (first or at) if test(value, limit) else None
        if first:
            found.append(first)
    return min(found, default=None)


def _acts(runbook: dict[str, Any]) -> list[Mark]:
    """Return every action as a mark of its own, numbered."""
    return [
        Mark(
            seconds(action["at"]) or 0,
            str(number),
            "action",
            " ".join(filter(None, [action["what"], action.get("target", "")])),
        )
        for number, action in enumerate(actions(runbook), start=1)
    ]


def _drawn(acts: list[Mark]) -> list[Mark]:
    """Return the actions as they are drawn: many within one second are one mark."""
    found = []
    for _, moment in groupby(acts, key=lambda mark: int(mark.at)):
        same = list(moment)
        if len(same) <= TOGETHER:
            found += same
            continue
        text = f"{same[0].text}; and {len(same) - 1} more in the same second, listed below"
        found.append(Mark(same[0].at, f"{same[0].tag}-{same[-1].tag}", "action", text))
    return found


def marks(runbook: dict[str, Any]) -> list[Mark]:
    """Return the moments of a runbook in the order of time."""
    found = []
    red = [one for one in runbook.get("alarms_before", []) if one["state"] == "ALARM"]
    if red:
        first = min(red, key=lambda one: one["since_epoch"])
        found.append(Mark(first["since_epoch"], "R", "red", f"alarm red: {first['name']}"))
        if shows := breach(runbook, first["since_epoch"]):
            found.append(Mark(shows, "F", "fault", "the fault shows: first point out of limits"))
    if opened := seconds(runbook.get("opened")):
        found.append(Mark(opened, "O", "opened", "runbook opened"))
    found += _drawn(_acts(runbook))
    for one in runbook.get("undone", []):
        found.append(Mark(seconds(one["at"]) or 0, "U", "undone", one["text"]))
    if green := seconds((runbook.get("times") or {}).get("green")):
        found.append(Mark(green, "G", "green", "alarms green"))
    if closed := seconds(runbook.get("closed")):
        found.append(Mark(closed, "C", "closed", "runbook closed"))
    return sorted(found, key=lambda mark: mark.at)


def _table(head: list[str], rows: list[list[str]], kind: str = "narrow") -> str:
    """Return a table; cells are HTML already. narrow: only the last column takes the room."""
    first = ' class="t"'
    cells = "".join(
        "<tr>"
        + "".join(f"<td{first if not n else ''}>{cell}</td>" for n, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    names = "".join(f"<th{first if not n else ''}>{name}</th>" for n, name in enumerate(head))
    return f'<div class="wrap"><table class="{kind}"><tr>{names}</tr>{cells}</table></div>'


def _list(texts: list[Any]) -> str:
    return "<ul>" + "".join(f"<li>{escape(str(text))}</li>" for text in texts) + "</ul>"


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _header(record: dict[str, Any], runbook: dict[str, Any]) -> str:
    outcome = runbook.get("outcome", "open")
    kind, words = OUTCOMES.get(outcome, ("bad", outcome))
    times = runbook.get("times") or {}
    recovery = times.get("recovery_seconds")
    out = [f'<div class="card head {kind}"><p class="outcome">']
    if recovery is None:
        out.append(f"{escape(words)}</p>")
    else:
        ours = times["ours_seconds"]
        share = 100 * ours / recovery if recovery else 0
        out.append(
            f"{escape(words)} in <b>{_length(recovery)}</b></p>"
            f'<div class="bar" role="img" aria-label="{share:.0f} percent ours">'
            f'<i style="width:{share:.1f}%"></i><u style="flex:1"></u></div>'
            f'<div class="key soft"><i></i>{_length(ours)} ours (opened to last action)'
            f"<u></u>{_length(times['aws_clock_seconds'])} waiting for the alarm's own clock; "
            f"red for {_length(times['red_seconds'])} in all</div>"
        )
    if runbook.get("reason"):
        out.append(f"<p>{escape(runbook['reason'])}</p>")
    rows = [
        ("environment", f"{runbook.get('environment', '')}, account {runbook.get('account', '')}"),
        ("host", runbook.get("host", "")),
        ("caller", runbook.get("caller", "")),
        ("opened", runbook.get("opened", "")),
        ("closed", runbook.get("closed", "")),
        ("risk", f"{runbook.get('risk', '')}, trigger {runbook.get('trigger', '')}"),
        ("mode", "rehearsal (--check)" if record.get("check_mode") else "real"),
    ]
    out.append(
        "<dl>"
        + "".join(f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in rows if value)
        + "</dl></div>"
    )
    return "".join(out)


def _legend(runbook: dict[str, Any], events: list[Mark]) -> str:
    opened = seconds(runbook.get("opened"))
    return _table(
        ["time (UTC)", "after opening", "", "what happened"],
        [
            [
                clock(mark.at),
                f"{mark.at - (opened or mark.at):+.1f} s",
                f'<span class="tag {mark.kind}">{escape(mark.tag)}</span>',
                escape(mark.text),
            ]
            for mark in events
        ],
    )


def _charts(runbook: dict[str, Any]) -> str:
    events = marks(runbook)
    curves = runbook.get("metrics") or []
    if not events:
        return ""
    times = [point[0] for curve in curves for point in curve["points"]]
    start = min([mark.at for mark in events] + times)
    end = max([mark.at for mark in events] + times)
    pad = (end - start) * 0.02 + 1
    reds = {one["name"] for one in runbook.get("alarms_before", []) if one["state"] == "ALARM"}
    red_since = next((mark.at for mark in events if mark.kind == "red"), None)
    green = seconds((runbook.get("times") or {}).get("green"))
    red = (red_since, green or end) if red_since else None
    shown = sorted(
        (curve for curve in curves if curve["alarm"] in reds), key=lambda curve: not curve["main"]
    )
    # A composite alarm's own parts are what its red is made of.
    others = [curve for curve in curves if curve["alarm"] not in reds]
    if not shown:
        shown, others = others, []
    acts = _acts(runbook)
    legend = _legend(runbook, events)
    if len(_drawn(acts)) < len(acts):
        legend += (
            f"<details><summary>Every action ({len(acts)})</summary>"
            f"{_legend(runbook, acts)}</details>"
        )
    out = [
        '<h2>What happened</h2><div class="card"><div class="wrap">',
        draw(shown, events, red, start - pad, end + pad),
        "</div>",
        legend,
    ]
    if others:
        out.append(
            f"<details><summary>Metrics of the other alarms ({len(others)})</summary>"
            f'<div class="wrap">{draw(others, events, red, start - pad, end + pad)}</div></details>'
        )
    out.append("</div>")
    return "".join(out)


def _decision(runbook: dict[str, Any]) -> str:
    decision = runbook.get("decision")
    if not decision:
        return ""
    out = [f'<h2>Decision</h2><div class="card"><p><b>{escape(decision["cause"])}</b></p><dl>']
    for title, key in (("because", "because"), ("done", "plan"), ("undo", "undo")):
        if decision.get(key):
            out.append(f"<dt>{title}</dt><dd>{_list(decision[key])}</dd>")
    if decision.get("to"):
        out.append(f"<dt>handed over</dt><dd>{escape(decision['to'])}</dd>")
    out.append("</dl>")
    if runbook.get("facts"):
        out.append(f"<details><summary>What was seen</summary>{_json(runbook['facts'])}</details>")
    out.append("</div>")
    return "".join(out)


def _alarms(runbook: dict[str, Any]) -> str:
    after = {one["name"]: one for one in runbook.get("alarms_after", [])}
    rows = []
    for one in runbook.get("alarms_before", []):
        late = after.get(one["name"])
        rows.append(
            [
                escape(one["name"]),
                _state(one["state"]),
                _state(late["state"]) if late else "",
                escape((late or one).get("reason", "")),
            ]
        )
    if not rows:
        return ""
    return (
        '<h2>Alarms</h2><div class="card">'
        + _table(["alarm", "at opening", "at the end", "CloudWatch's reason"], rows, "")
        + "</div>"
    )


def _state(state: str) -> str:
    words = {"OK": ("good", "green"), "ALARM": ("bad", "RED")}
    kind, text = words.get(state, ("soft", "no data"))
    return f'<span class="{kind}">{text}</span>'


def _rest(record: dict[str, Any], runbook: dict[str, Any]) -> str:
    out = []
    for title, key in (("Undone", "undone"), ("Steps in the journal", "steps")):
        if entries := runbook.get(key):
            rows = [
                [
                    clock(seconds(one["at"]) or 0),
                    escape(one.get("text") or f"{one['step']} ({one['state']})"),
                ]
                for one in entries
            ]
            out.append(f'<h2>{title}</h2><div class="card">{_table(["time", ""], rows)}</div>')
    if record.get("failures"):
        texts = [f"{one['task']}: {one['message']}" for one in record["failures"]]
        out.append(f'<h2>Failures</h2><div class="card">{_list(texts)}</div>')
    if runbook.get("checks"):
        out.append(f'<h2>Checks</h2><div class="card">{_list(runbook["checks"])}</div>')
    if runbook.get("inputs"):
        out.append(f'<h2>Inputs</h2><div class="card">{_json(runbook["inputs"])}</div>')
    return "".join(out)


def render(record: dict[str, Any]) -> str:
    """Return the page of an evidence record that holds a runbook. Everything in it is escaped."""
    runbook = record["runbook"]
    name = escape(runbook.get("name", record["playbook"]))
    others = "".join(
        f"<li>{escape(str(one.get('host', '')))}: {escape(str(one.get('outcome', '')))}</li>"
        for one in record.get("other_runbooks", [])
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>{name}: {escape(runbook.get('outcome', ''))}</title><style>{STYLE}</style></head>"
        f'<body><main><h1>{name}</h1><p class="soft">{escape(runbook.get("title", ""))}</p>'
        + _header(record, runbook)
        + _charts(runbook)
        + _decision(runbook)
        + _alarms(runbook)
        + _rest(record, runbook)
        + (f'<h2>Other hosts</h2><div class="card"><ul>{others}</ul></div>' if others else "")
        + f'<p class="soft">From the evidence of {escape(record["playbook"])}, started '
        f"{escape(record['started'])}, schema {record['schema']}. Times are UTC.</p>"
        "</main></body></html>\n"
    )
