"""HAProxy's configuration from what the ELB API holds: pure functions.

Source of the behaviour: the "Application Load Balancers" user guide (listener rules, request
headers, health checks); of the syntax: HAProxy 3.0's configuration manual.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drydock.controllers.load_balancer import access_log
from drydock.moto.elbv2 import Listener, LoadBalancer, Rule, Target, TargetGroup, forwards

# HAProxy's own answers carry this, as an ALB's do; nothing else tells them from a target's.
SERVER_HEADER = "awselb/2.0"
_OWN_ANSWERS = (400, 408, 500, 502, 503, 504)
# An ALB gives a target 10 s to accept a connection.
_CONNECT_SECONDS = 10
# The longest time from registration to the first health check.
FIRST_CHECK_SECONDS = 2
_NETWORK_IDLE_SECONDS = 350
STATE_HEADER = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
    "srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health "
    "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord "
    "srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
)
# HAProxy's SRV_ST_RUNNING and SRV_ST_STOPPED; anything else begins as SRV_ST_STOPPING, which
# waits for its first check.
_STATE = {"healthy": 2, "unhealthy": 0}
_ALGORITHM = {"least_outstanding_requests": "leastconn", "weighted_random": "random"}


def backend_name(target_group_arn: str) -> str:
    """``name.id``: what HAProxy calls a target group."""
    return ".".join(target_group_arn.rsplit("/", 2)[1:])


def server_name(target: Target) -> str:
    return f"{target.address}:{target.port}"


def open_name(target: Target) -> str:
    """The target's second entry, without health checks: used when no target is healthy."""
    return f"open-{server_name(target)}"


def server_options(group: TargetGroup) -> str:
    """Options of a target's server entry, for the file and for ``add server`` alike."""
    check = group.check
    # AWS counts an interval from check to check, HAProxy from a check's end; a shorter pause
    # after a failure makes up for the timeout, so that a dead target leaves in AWS's time.
    options = [
        f"check inter {check.interval}s fastinter {max(1, check.interval - check.timeout)}s",
        f"rise {check.healthy_threshold}",
        f"fall {check.unhealthy_threshold}",
    ]
    if check.port != "traffic-port":
        options.append(f"port {check.port}")
    if check.protocol == "HTTPS":
        options.append("check-ssl verify none")
    return " ".join([*options, open_options(group)]).strip()


def open_options(group: TargetGroup) -> str:
    return "ssl verify none" if group.protocol in ("HTTPS", "TLS") else ""


def cookie(group: TargetGroup, target: Target) -> str:
    """The stickiness cookie's value; a new registration gets a new one, so that a client
    which knew an earlier target of that address isn't sent to one not yet healthy."""
    return f" cookie {target.serial}" if _sticky(group) else ""


def _sticky(group: TargetGroup) -> bool:
    return (
        group.attributes.get("stickiness.enabled") == "true"
        and group.attributes.get("stickiness.type") == "lb_cookie"
    )


def state_file(targets: Mapping[str, Sequence[Target]]) -> str:
    """HAProxy's server-state file: what a new process believes of each target at first.

    Without it servers would start as up and get requests before their first check.
    """
    rows = [
        f"1 {backend_name(arn)} 1 {server_name(target)} {target.address} "
        f"{_STATE.get(target.health.state, 3)} 0 1 1 1 1 0 0 6 0 0 0 - {target.port} - 0 0 - - 0\n"
        for arn, members in targets.items()
        for target in members
    ]
    return STATE_HEADER + "".join(rows)


def render(
    balancer: LoadBalancer,
    groups: Mapping[str, TargetGroup],
    targets: Mapping[str, Sequence[Target]],
) -> str:
    """The whole configuration file.

    Args:
        groups: by ARN, at least those that the balancer forwards to.
        targets: by group ARN, those that may get requests; with none, the result tells
            whether anything but targets has changed.
    """
    http = balancer.kind != "network"
    lines = _head(balancer, http)
    for listener in balancer.listeners:
        lines += _http_frontend(balancer, listener) if http else _tcp_frontend(listener)
    for arn in balancer.target_groups:
        lines += _backend(groups[arn], targets.get(arn, ()), http)
    return "\n".join(lines) + "\n"


def _head(balancer: LoadBalancer, http: bool) -> list[str]:
    idle = balancer.attributes.get("idle_timeout.timeout_seconds", "60")
    idle = idle if http else str(_NETWORK_IDLE_SECONDS)
    lines = [
        f"# load balancer {balancer.name}",
        "global",
        "  # One thread: a command on the socket then never overlaps a request's choice of target.",
        "  nbthread 1",
        "  fd-hard-limit 20000",
        "  server-state-file /lb/servers",
        f"  max-spread-checks {FIRST_CHECK_SECONDS}s",
        "  hard-stop-after 15m",
        "  user haproxy",
        "  group haproxy",
        *([f"  log fd@{access_log.DESCRIPTOR} len 1024 format raw local0"] if http else []),
        "defaults",
        f"  mode {'http' if http else 'tcp'}",
        "  load-server-state-from-file global",
        f"  timeout connect {_CONNECT_SECONDS}s",
        *(f"  timeout {side} {idle}s" for side in ("client", "server", "tunnel")),
        "  retries 0",
    ]
    if http:
        lines += [
            "  log global",
            f'  log-format "{access_log.FORMAT}"',
            "  option dontlognull",
            "  # A connection to a target serves one request: none is sent on an idle connection",
            "  # that a stopping target is about to close.",
            "  option http-server-close",
            "  option idle-close-on-response",
            *(
                f"  http-error status {code} content-type text/html "
                f"string '<html><body><h1>No answer from a target</h1></body></html>' "
                f"hdr Server {SERVER_HEADER} hdr Connection close"
                for code in _OWN_ANSWERS
            ),
        ]
    return lines


def _bind(listener: Listener, alpn: str) -> str:
    if listener.protocol not in ("HTTPS", "TLS"):
        return f"  bind :{listener.port}"
    names = ",".join(listener.names)
    return f"  # certificate: {names}\n  bind :{listener.port} ssl crt /lb/tls.pem{alpn}"


def _tcp_frontend(listener: Listener) -> list[str]:
    name = f"port-{listener.port}"
    lines = ["", f"frontend {name}", _bind(listener, "")]
    for arn, _ in forwards(listener.rules[-1].actions[-1])[:1]:
        lines.append(f"  default_backend {backend_name(arn)}")
    return lines


def _http_frontend(balancer: LoadBalancer, listener: Listener) -> list[str]:
    port, attributes = listener.port, balancer.attributes
    two = attributes.get("routing.http2.enabled", "true") == "true"
    lines = [
        "",
        f"frontend port-{port}",
        _bind(listener, f" alpn {'h2,' if two else ''}http/1.1"),
        # After a reload the old process still holds clients' idle connections. What comes on
        # them is handed to the new process, which alone knows today's rules and targets.
        f"  bind abns@port-{port} accept-proxy",
        "  http-request allow if { stopping }",
    ]
    if attributes.get("routing.http.drop_invalid_header_fields.enabled") == "true":
        lines.append("  http-request del-header '[^-A-Za-z0-9]' -m reg")
    lines += _forwarded_headers(listener, attributes)
    for rule in listener.rules:
        terms = "".join(f" {{ {_condition(condition)} }}" for condition in rule.conditions)
        lines.append(
            f"  http-request set-var(txn.rule) str({rule.priority}) "
            f"if !{{ var(txn.rule) -m found }}{terms}"
        )
    chosen = [line for rule in listener.rules for line in _action(listener, rule)]
    return [
        *lines,
        *(line for line in chosen if not line.startswith("  use_backend")),
        f"  use_backend relay-{port} if {{ stopping }}",
        *(line for line in chosen if line.startswith("  use_backend")),
        "",
        f"backend relay-{port}",
        f"  server next abns@port-{port} send-proxy-v2",
    ]


def _forwarded_headers(listener: Listener, attributes: Mapping[str, str]) -> list[str]:
    mode = attributes.get("routing.http.xff_header_processing.mode", "append")
    known = "{ req.fhdr(x-forwarded-for) -m found }"
    name = "X-Forwarded-For"
    lines = {
        "append": [
            f"  http-request set-header {name} '%[req.fhdr(x-forwarded-for)], %[src]' if {known}",
            f"  http-request set-header {name} %[src] if !{known}",
        ],
        "remove": [f"  http-request del-header {name}"],
    }.get(mode, [])
    trace = "{ req.hdr(x-amzn-trace-id) -m found }"
    return [
        *lines,
        f"  http-request set-header X-Forwarded-Proto {listener.protocol.lower()}",
        f"  http-request set-header X-Forwarded-Port {listener.port}",
        "  http-request set-var-fmt(txn.id) '1-%{+X}Ts-%[uuid(),regsub(-,,g),bytes(0,24)]'",
        # A trace that has begun stays; the balancer's own part in it stands before it.
        "  http-request set-var(txn.trace) req.fhdr(x-amzn-trace-id),regsub(^Self=[^;]*;,)",
        "  http-request set-header X-Amzn-Trace-Id "
        f"'Self=%[var(txn.id),lower];%[var(txn.trace)]' if {trace}",
        f"  http-request set-header X-Amzn-Trace-Id Root=%[var(txn.id),lower] if !{trace}",
    ]


# --- rules ------------------------------------------------------------------------------


def _quote(text: str) -> str:
    """HAProxy's strong quotes; line ends are escapes, which only work outside them."""
    for character, outside in (("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(character, f"'{outside}'")
    return f"'{text}'"


def wildcard(pattern: str, anything: str = ".") -> str:
    """A regular expression (not anchored) for AWS's ``*``, ``?`` and backslash escapes.

    Args:
        anything: what one unknown character may be.
    """
    found = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL)
    known = {"*": f"{anything}*", "?": anything}
    return "".join(known.get(word) or re.escape(word[-1]) for word in found)


def _matches(fetch: str, expressions: Sequence[str], flags: str = "") -> str:
    return f"{fetch} -m reg{flags} -- " + " ".join(_quote(text) for text in expressions)


def _query(pair: Mapping[str, str]) -> str:
    value = wildcard(pair["Value"], "[^&]")
    if key := pair.get("Key"):
        return f"(^|&){wildcard(key, '[^&=]')}={value}(&|$)"
    return f"(^|&)([^&=]*=)?{value}(&|$)"


def _condition(condition: Mapping[str, Any]) -> str:
    """One ACL expression, without braces."""
    field = condition["Field"]
    key = "".join(word.capitalize() for word in field.split("-")) + "Config"
    config = condition.get(key) or {}
    values = config.get("Values") or condition.get("Values") or []
    whole = [f"^{wildcard(value)}$" for value in values if isinstance(value, str)]
    make: Mapping[str, Callable[[], str]] = {
        "path-pattern": lambda: _matches("path", whole),
        "host-header": lambda: _matches("req.hdr(host),host_only", whole, " -i"),
        "http-header": lambda: _matches(f"req.fhdr({config['HttpHeaderName']})", whole, " -i"),
        "http-request-method": lambda: "method -m str -- " + " ".join(map(_quote, values)),
        "query-string": lambda: _matches("query", [_query(pair) for pair in values], " -i"),
        "source-ip": lambda: "src -m ip -- " + " ".join(values),
    }
    return make[field]()


def _action(listener: Listener, rule: Rule) -> list[str]:
    chosen = f"{{ var(txn.rule) -m str {rule.priority} }}"
    action = rule.actions[-1]  # those before it authenticate; see docs/fidelity.md
    if action["Type"] == "fixed-response":
        config = action["FixedResponseConfig"]
        text = f"  http-request return status {config['StatusCode']}"
        if body := config.get("MessageBody"):
            kind = config.get("ContentType") or "text/plain"
            text += f" content-type {kind} string {_quote(body)}"
        return [f"{text} hdr Server {SERVER_HEADER} if {chosen}"]
    if action["Type"] == "redirect":
        return _redirect(listener, action["RedirectConfig"], chosen)
    groups = [(arn, weight) for arn, weight in forwards(action) if weight > 0]
    if len(groups) == 1:
        return [f"  use_backend {backend_name(groups[0][0])} if {chosen}"]
    lines = []
    if groups:
        total = sum(weight for _, weight in groups)
        lines.append(f"  http-request set-var(txn.die) rand({total}) if {chosen}")
    below = 0
    for arn, weight in groups:
        below += weight
        die = f"{{ var(txn.die) -m int lt {below} }}"
        lines.append(f"  use_backend {backend_name(arn)} if {chosen} {die}")
    return lines


def _redirect(listener: Listener, config: Mapping[str, str], chosen: str) -> list[str]:
    values = {
        "#{protocol}": listener.protocol.lower(),
        "#{host}": "%[req.hdr(host),host_only]",
        "#{port}": str(listener.port),
        "#{path}": "%[path,regsub(^/,)]",
        "#{query}": "%[query]",
    }

    def fill(key: str, default: str) -> str:
        words = re.split(r"(#\{\w+\})", config.get(key, default))
        return "".join(values.get(word) or word.replace("%", "%%") for word in words)

    query = fill("Query", "#{query}")
    # The same query goes without its question mark when there is none.
    mark = "%[var(txn.mark)]" if query == values["#{query}"] else "?" if query else ""
    protocol = fill("Protocol", "#{protocol}").lower()
    location = (
        f"{protocol}://{fill('Host', '#{host}')}:{fill('Port', '#{port}')}"
        f"{fill('Path', '/#{path}')}{mark}{query}"
    )
    code = config["StatusCode"].removeprefix("HTTP_")
    return [
        "  http-request set-var(txn.mark) str(?) if { query -m found }",
        f"  http-request redirect code {code} location {_quote(location)} if {chosen}",
    ]


# --- targets ----------------------------------------------------------------------------


def _backend(group: TargetGroup, targets: Sequence[Target], http: bool) -> list[str]:
    check = group.check
    algorithm = group.attributes.get("load_balancing.algorithm.type", "")
    lines = [
        "",
        f"backend {backend_name(group.arn)}",
        f"  balance {_ALGORITHM.get(algorithm, 'roundrobin')}",
        "  option allbackups",
        f"  timeout check {check.timeout}s",
        # HAProxy has no other way to bound a check's connecting.
        f"  timeout connect {min(check.timeout, _CONNECT_SECONDS)}s",
        f"  # servers: {server_options(group)}",
    ]
    if check.protocol in ("HTTP", "HTTPS"):
        lines += [
            "  option httpchk",
            f"  http-check send meth GET uri {_quote(check.path)} ver HTTP/1.1 "
            "hdr Host %[srv_name] hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close",
            f"  http-check expect status {check.matcher}",
        ]
    if http:
        # HAProxy says 503 when there is no target, but also when one refuses or stays silent;
        # an ALB says 502 and 504 then.
        failed = (
            f"{{ res.hdr(server) -m str {SERVER_HEADER} }} {{ status 503 }} {{ srv_id -m found }}"
        )
        silent = "{ txn.sess_term_state sC }"
        lines += [
            f"  http-after-response set-status 504 reason 'Gateway Timeout' if {failed} {silent}",
            f"  http-after-response set-status 502 reason 'Bad Gateway' if {failed}",
        ]
    if _sticky(group):
        seconds = group.attributes.get("stickiness.lb_cookie.duration_seconds", "86400")
        lines.append(f"  cookie AWSALB insert indirect nocache maxlife {seconds}s")
    for target in targets:
        name, extra = server_name(target), cookie(group, target)
        lines.append(f"  server {name} {name} {server_options(group)}{extra}")
        closed = "" if target.health.state == "unhealthy" else " disabled"
        lines.append(
            f"  server {open_name(target)} {name} backup {open_options(group)}{extra}{closed}"
        )
    return lines
