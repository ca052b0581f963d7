"""What HAProxy is told, and what its words mean in AWS's."""

import re
from dataclasses import replace

import pytest
from moto.elbv2.models import FakeTargetGroup

from drydock.controllers.load_balancer import configuration as conf
from drydock.controllers.load_balancer import runtime
from drydock.moto import elbv2

PREFIX = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
ONE, TWO = f"{PREFIX}:targetgroup/one/aa", f"{PREFIX}:targetgroup/two/bb"
CHECK = elbv2.HealthCheck("HTTP", "/health", "traffic-port", 10, 5, 3, 2, "200-299,301")


def group(arn: str = ONE, **attributes: str) -> elbv2.TargetGroup:
    dotted = {key.replace("__", "."): value for key, value in attributes.items()}
    return elbv2.TargetGroup(arn, arn.split("/")[1], "HTTP", CHECK, dotted)


def forward(*arns: str) -> list[dict]:
    return [{"Type": "forward", "TargetGroupArn": arn} for arn in arns]


def render(*rules: elbv2.Rule, targets=None, protocol="HTTP", kind="application", **attributes):
    default = elbv2.Rule("default", [], forward(ONE))
    names = ["shop.example.com"] if protocol in ("HTTPS", "TLS") else []
    listener = elbv2.Listener("arn", 8080, protocol, [*rules, default], names)
    balancer = elbv2.LoadBalancer(
        "arn", "web", kind, "10.0.0.4", "subnet-1", "active", attributes, [listener]
    )
    groups = {ONE: group(), TWO: group(TWO)}
    return conf.render(balancer, groups, targets or {})


def condition(field: str, config: dict) -> str:
    """The ACL that a rule with this one condition is chosen by."""
    text = render(elbv2.Rule("7", [{"Field": field, **config}], forward(TWO)))
    return re.search(r"str\(7\) if !\{ var\(txn.rule\) -m found \} \{ (.*) \}$", text, re.M)[1]


@pytest.mark.parametrize(
    ("pattern", "matches", "differs"),
    [
        ("/img/*", ["/img/", "/img/a/b"], ["/img", "/image/a"]),
        ("/v?/x", ["/v1/x"], ["/v/x", "/v12/x"]),
        ("/a.b+c", ["/a.b+c"], ["/aXb+c", "/a.bbc"]),
        (r"/lit\*eral", ["/lit*eral"], ["/litXeral", "/literal"]),
    ],
)
def test_wildcards_are_aws_s(pattern: str, matches: list[str], differs: list[str]) -> None:
    expression = f"^{conf.wildcard(pattern)}$"
    assert all(re.search(expression, text) for text in matches)
    assert not any(re.search(expression, text) for text in differs)


@pytest.mark.parametrize(
    ("field", "config", "expected"),
    [
        ("path-pattern", {"Values": ["/a/*"]}, "path -m reg -- '^/a/.*$'"),
        (
            "path-pattern",
            {"PathPatternConfig": {"Values": ["/a", "/it's"]}},
            r"path -m reg -- '^/a$' '^/it'\''s$'",
        ),
        (
            "host-header",
            {"HostHeaderConfig": {"Values": ["*.example.com"]}},
            r"req.hdr(host),host_only -m reg -i -- '^.*\.example\.com$'",
        ),
        (
            "http-header",
            {"HttpHeaderConfig": {"HttpHeaderName": "X-Try", "Values": ["on?"]}},
            "req.fhdr(X-Try) -m reg -i -- '^on.$'",
        ),
        (
            "http-request-method",
            {"HttpRequestMethodConfig": {"Values": ["GET", "PUT"]}},
            "method -m str -- 'GET' 'PUT'",
        ),
        (
            "query-string",
            {"QueryStringConfig": {"Values": [{"Key": "v", "Value": "1*"}, {"Value": "x"}]}},
            "query -m reg -i -- '(^|&)v=1[^&]*(&|$)' '(^|&)([^&=]*=)?x(&|$)'",
        ),
        (
            "source-ip",
            {"SourceIpConfig": {"Values": ["10.0.0.0/8", "192.0.2.1/32"]}},
            "src -m ip -- 10.0.0.0/8 192.0.2.1/32",
        ),
    ],
)
def test_conditions(field: str, config: dict, expected: str) -> None:
    assert condition(field, config) == expected


def test_the_first_rule_that_fits_decides_whatever_its_action() -> None:
    fixed = {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "no\n'50%'"},
    }
    lines = render(elbv2.Rule("5", [], forward(TWO)), elbv2.Rule("9", [], [fixed])).splitlines()
    chosen = [line for line in lines if "set-var(txn.rule)" in line]
    assert [re.search(r"str\((\w+)\)", line)[1] for line in chosen] == ["5", "9", "default"]
    assert (
        r"  http-request return status 404 content-type text/plain string 'no'\n''\''50%'\''' "
        "hdr Server awselb/2.0 if { var(txn.rule) -m str 9 }"
    ) in lines
    assert "  use_backend two.bb if { var(txn.rule) -m str 5 }" in lines
    assert "  use_backend one.aa if { var(txn.rule) -m str default }" in lines


def test_weights_share_one_throw_of_the_die() -> None:
    shares = [(ONE, 3), (TWO, 1), (ONE, 0)]
    action = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in shares]
        },
    }
    text = render(elbv2.Rule("5", [], [action]))
    assert "set-var(txn.die) rand(4) if { var(txn.rule) -m str 5 }" in text
    assert re.findall(r"use_backend (\S+) if .* 5 } { var\(txn.die\) -m int lt (\d)", text) == [
        ("one.aa", "3"),
        ("two.bb", "4"),
    ]


@pytest.mark.parametrize(
    ("config", "location"),
    [
        (
            {"Protocol": "HTTPS", "Port": "443"},
            "https://%[req.hdr(host),host_only]:443/%[path,regsub(^/,)]%[var(txn.mark)]%[query]",
        ),
        (
            {"Host": "new.example.com", "Path": "/a%b/#{path}", "Query": "from=#{host}"},
            "http://new.example.com:8080/a%%b/%[path,regsub(^/,)]?from=%[req.hdr(host),host_only]",
        ),
        ({"Path": "/", "Query": ""}, "http://%[req.hdr(host),host_only]:8080/"),
    ],
)
def test_redirects(config: dict, location: str) -> None:
    action = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}}
    text = render(elbv2.Rule("5", [], [action]))
    assert f"http-request redirect code 301 location '{location}' if" in text


def test_attributes_and_protocols_show() -> None:
    text = render(
        protocol="HTTPS",
        **{
            "idle_timeout.timeout_seconds": "7",
            "routing.http.drop_invalid_header_fields.enabled": "true",
            "routing.http.xff_header_processing.mode": "remove",
        },
    )
    assert "  timeout server 7s\n" in text and "del-header '[^-A-Za-z0-9]'" in text
    assert "del-header X-Forwarded-For\n" in text and "set-header X-Forwarded-For" not in text
    assert "bind :8080 ssl crt /lb/tls.pem alpn h2,http/1.1\n" in text
    assert "X-Forwarded-Proto https\n" in text
    network = render(kind="network", protocol="TCP")
    assert "mode tcp" in network and "default_backend one.aa" in network
    assert "http-request" not in network and "http-error" not in network


def test_targets_and_what_a_new_process_believes_of_them() -> None:
    ill = elbv2.TargetHealth("unhealthy", "Target.Timeout")
    targets = [
        elbv2.Target("10.0.0.7", "10.0.0.7", 80, 1, elbv2.HEALTHY),
        elbv2.Target("10.0.0.7", "10.0.0.7", 81, 2, ill),
        elbv2.Target("10.0.0.8", "10.0.0.8", 80, 3, elbv2.CHECKING),
    ]
    text = render(targets={ONE: targets})
    options = "check inter 10s fastinter 5s rise 3 fall 2"
    assert f"  server 10.0.0.7:80 10.0.0.7:80 {options}\n" in text
    spares = re.findall(r"server open-(\S+) \S+ backup +(disabled)?", text)
    assert spares == [("10.0.0.7:80", "disabled"), ("10.0.0.7:81", ""), ("10.0.0.8:80", "disabled")]
    # 2 up, 0 down, 3 "stopping": no request before a good check
    rows = [line.split() for line in conf.state_file({ONE: targets}).splitlines()[2:]]
    assert [(row[3], row[5]) for row in rows] == [
        ("10.0.0.7:80", "2"),
        ("10.0.0.7:81", "0"),
        ("10.0.0.8:80", "3"),
    ]


def test_server_options_follow_the_health_check() -> None:
    check = replace(CHECK, protocol="HTTPS", port="9000", interval=5, timeout=5)
    assert conf.server_options(replace(group(), protocol="HTTPS", check=check)) == (
        "check inter 5s fastinter 1s rise 3 fall 2 port 9000 check-ssl verify none ssl verify none"
    )
    target = elbv2.Target("10.0.0.7", "10.0.0.7", 80, 9)
    sticky = group(stickiness__enabled="true", stickiness__type="lb_cookie")
    assert conf.cookie(sticky, target) == " cookie 9" and conf.cookie(group(), target) == ""


# --- the admin socket -------------------------------------------------------------------

STAT = """
# pxname,svname,scur,status,check_status,check_code,
one.aa,10.0.0.7:80,3,UP 1/2,L7STS,500,
one.aa,10.0.0.8:80,0,MAINT,,,

"""
PROC = """#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          2 [failed: 0]   0d00h01m22s     3.0.11-1+deb13u5
# workers
13              worker          0               0d00h00m00s     3.0.11-1+deb13u5
# old workers
10              worker          1               0d00h00m01s     3.0.11-1+deb13u5
# programs
"""


def test_the_socket_s_answers_are_read() -> None:
    assert runtime.workers(PROC) == ("13", ["10"])
    with pytest.raises(OSError, match="no worker"):
        runtime.workers(PROC.replace("13              worker", "13 -"))
    rows = runtime.servers(STAT)
    busy = rows["one.aa", "10.0.0.7:80"]
    assert busy.in_flight == 3 and busy.health == elbv2.HEALTHY and not busy.closed
    assert rows["one.aa", "10.0.0.8:80"].closed
    assert runtime.servers("\n") == {}


@pytest.mark.parametrize(
    ("status", "check", "code", "state", "reason"),
    [
        ("UP", "L7OK", "200", "healthy", ""),
        ("UP 1/2", "L4CON", "", "healthy", ""),
        ("NOLB 1/2", "L7STS", "503", "initial", "Elb.InitialHealthChecking"),
        ("DOWN", "L7STS", "503", "unhealthy", "Target.ResponseCodeMismatch"),
        ("DOWN 1/3", "L7TOUT", "", "unhealthy", "Target.Timeout"),
        ("DOWN", "L4TOUT", "", "unhealthy", "Target.Timeout"),
        ("DOWN", "L4CON", "", "unhealthy", "Target.FailedHealthChecks"),
    ],
)
def test_checks_in_aws_s_words(status, check, code, state, reason) -> None:
    health = runtime.Server("b", "s", status, check, code, 0).health
    assert (health.state, health.reason) == (state, reason)


# --- the table of targets ---------------------------------------------------------------


@pytest.fixture
def table() -> FakeTargetGroup:
    return FakeTargetGroup("one", "123456789012", "us-east-1", "vpc-1", "HTTP", "80")


def test_one_address_on_two_ports_is_two_targets(table: FakeTargetGroup) -> None:
    elbv2.register(table, "10.0.0.7", "10.0.0.7", 80)
    elbv2.register(table, "10.0.0.7", "10.0.0.7", 81)
    elbv2.deregister(table, "10.0.0.7", 80)
    states = {key[1]: target.health.state for key, target in elbv2.table(table).items()}
    assert states == {80: "draining", 81: "initial"}
    elbv2.deregister(table, "10.0.0.7", None)
    elbv2.deregister(table, "10.0.0.9", 80)  # never registered: AWS says nothing either
    assert all(target.draining for target in elbv2.table(table).values())


def test_registering_tells_and_comes_back_from_draining(
    table: FakeTargetGroup, monkeypatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(elbv2, "_listeners", [lambda: told.append(1)])
    elbv2.register(table, "10.0.0.7", "10.0.0.7", 80)
    first = elbv2.table(table)["10.0.0.7", 80]
    elbv2.register(table, "10.0.0.7", "10.0.0.7", 80)
    assert elbv2.table(table)["10.0.0.7", 80] is first
    elbv2.deregister(table, "10.0.0.7", 80)
    elbv2.register(table, "10.0.0.7", "10.0.0.7", 80)
    again = elbv2.table(table)["10.0.0.7", 80]
    assert not again.draining and again.serial > first.serial and len(told) == 3
