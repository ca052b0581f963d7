"""Load balancers against real targets: what clients see while targets and rules change."""

import http.client
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from drydock.images import DEBIAN
from drydock.network import Networks
from tests.platform.conftest import Cloud, wait_for

PORT = 8080
INTERVAL = 5  # seconds between health checks; two make a target unhealthy
TIMEOUT = 2

# A web server that ends at once on SIGTERM, so that a request sent too late is a failed one.
BACKEND = r"""
import http.server, json, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
state = {"name": sys.argv[1], "well": sys.argv[2] == "well", "early": 0, "served": 0}
checked = False
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        global checked
        code, body = 200, dict(state, path=self.path, headers=dict(self.headers))
        if self.path == "/health":
            code = 200 if state["well"] else 500
            checked |= code == 200
        elif self.path.startswith("/state/"):
            state["well"] = self.path.endswith("well")
        elif self.path != "/state":
            state["served"] += 1
            state["early"] += not checked
            if self.path.startswith("/slow"):
                time.sleep(float(self.path.split("=")[1]))
            if self.path == "/drop":
                self.close_connection = True
                return
            if self.path == "/fail":
                code = 500
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    def handle_error(self, *_):
        pass
Server(("", 8080), Handler).serve_forever()
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def get(url: str, **headers: str) -> Answer:
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        response = opener.open(urllib.request.Request(url, headers=named), timeout=10)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return Answer(response.status, dict(response.headers), response.read())


@dataclass
class Web:
    """A load balancer with two target groups, and backends to register."""

    cloud: Cloud
    network: str
    address: str
    arn: str = ""
    listener: str = ""
    groups: dict[str, str] = field(default_factory=dict)
    backends: dict[str, str] = field(default_factory=dict)
    _number: int = 0

    @property
    def elb(self):
        return self.cloud.client("elbv2")

    def url(self, path: str = "/") -> str:
        return f"http://{self.address}{path}"

    def start(self, *, well: bool = True) -> str:
        """Runs a backend; returns its address."""
        self._number += 1
        ip = f"{self.address.rsplit('.', 2)[0]}.2.{100 + self._number}"
        self.backends[ip] = self.cloud.podman.run(
            "test-backend",
            ip,
            DEBIAN,
            ["python3", "-c", BACKEND, ip, "well" if well else "ill"],
            network=self.network,
            ip=ip,
        )
        return ip

    def end(self, ip: str) -> None:
        if name := self.backends.pop(ip, None):
            self.cloud.podman.stop(name, 1)
            self.cloud.podman.remove(name)

    def register(self, group: str, *ips: str) -> None:
        self.elb.register_targets(
            TargetGroupArn=self.groups[group], Targets=[{"Id": ip, "Port": PORT} for ip in ips]
        )

    def deregister(self, group: str, *ips: str) -> None:
        self.elb.deregister_targets(
            TargetGroupArn=self.groups[group], Targets=[{"Id": ip, "Port": PORT} for ip in ips]
        )

    def health(self, group: str) -> dict[str, dict]:
        """Address → AWS's TargetHealth."""
        told = self.elb.describe_target_health(TargetGroupArn=self.groups[group])
        return {
            one["Target"]["Id"]: one["TargetHealth"] for one in told["TargetHealthDescriptions"]
        }

    def wait(self, group: str, state: str | None, *ips: str) -> None:
        """Until the addresses are in that state; None: until they are gone."""

        def reached() -> bool:
            health = self.health(group)
            return all(health.get(ip, {}).get("State") == state for ip in ips)

        wait_for(reached, 30, f"{ips} {state or 'gone'}, but {self.health(group)}", every=0.05)

    def add(self, group: str, *, well: bool = True) -> str:
        """A backend, registered and healthy."""
        ip = self.start(well=well)
        self.register(group, ip)
        if well:
            self.wait(group, "healthy", ip)
        return ip

    def drop(self, group: str, *ips: str) -> None:
        """Deregisters, waits for the end of draining, ends the backends: as a service does."""
        self.deregister(group, *ips)
        self.wait(group, None, *ips)
        for ip in ips:
            self.end(ip)

    def rule(self, priority: int, condition: dict, action: dict) -> str:
        made = self.elb.create_rule(
            ListenerArn=self.listener, Priority=priority, Conditions=[condition], Actions=[action]
        )
        return made["Rules"][0]["RuleArn"]

    def forward(self, group: str) -> dict:
        return {"Type": "forward", "TargetGroupArn": self.groups[group]}


def path(*values: str) -> dict:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def fixed(status: int, body: str = "") -> dict:
    config = {"StatusCode": str(status), "ContentType": "text/plain", "MessageBody": body}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


@pytest.fixture
def web(cloud: Cloud) -> Iterator[Web]:
    elb, vpc = cloud.client("elbv2"), cloud.vpc
    made = elb.create_load_balancer(Name="tests-web", Subnets=vpc.public_subnets)
    balancer = made["LoadBalancers"][0]
    arn = balancer["LoadBalancerArn"]
    assert balancer["State"]["Code"] == "provisioning"
    network = Networks(cloud.podman).name(vpc.id)
    web = Web(cloud, network, balancer["DNSName"], arn)
    wait_for(
        lambda: (
            elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"]
            == "active"
        ),
        30,
        "the load balancer is active",
    )
    for name in ("one", "two"):
        web.groups[name] = elb.create_target_group(
            Name=f"tests-{name}",
            Protocol="HTTP",
            Port=PORT,
            VpcId=vpc.id,
            TargetType="ip",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=INTERVAL,
            HealthCheckTimeoutSeconds=TIMEOUT,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
    web.listener = elb.create_listener(
        LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[web.forward("one")]
    )["Listeners"][0]["ListenerArn"]
    wait_for(lambda: _answers(web), 10, "the listener answers")
    yield web
    elb.delete_load_balancer(LoadBalancerArn=arn)
    for group in web.groups.values():
        elb.delete_target_group(TargetGroupArn=group)
    cloud.podman.remove(*web.backends.values())
    wait_for(
        lambda: not [one for one in cloud.podman.parts("load-balancer") if "tests-web" in one.id],
        15,
        "the load balancer's container is gone",
    )


def _answers(web: Web) -> bool:
    try:
        return bool(get(web.url()).status)
    except OSError:
        return False


class Load:
    """Clients that never stop asking, half of them on one connection, half on fresh ones.

    Attributes:
        answers: how many of each: an HTTP status or the name of an error.
    """

    def __init__(self, web: Web, path: str = "/load", clients: int = 8):
        self.answers: Counter[str] = Counter()
        self.troubles: list[tuple[float, str]] = []
        self._address, self._path = web.address, path
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number % 2 == 0,)) for number in range(clients)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keep: bool) -> None:
        connection = http.client.HTTPConnection(self._address, 80, timeout=10)
        while not self._stop.is_set():
            try:
                connection.request("GET", self._path)
                response = connection.getresponse()
                response.read()
                word = str(response.status)
            except (OSError, http.client.HTTPException) as error:
                word = type(error).__name__
                connection.close()
            self.answers[word] += 1
            if word != "200":
                self.troubles.append((time.monotonic(), word))
            if not keep:
                connection.close()
            time.sleep(0.002)

    def check(self, at_least: int = 200) -> None:
        assert set(self.answers) == {"200"}, self.answers
        assert self.answers["200"] >= at_least


def test_rules_choose_by_priority_and_conditions(web: Web) -> None:
    web.rule(30, path("/api/*"), web.forward("two"))
    one, two = web.add("one"), web.add("two")
    web.rule(20, path("/api/fixed?"), fixed(418, 'it\'s "50%"\n'))
    web.rule(
        10,
        {"Field": "host-header", "HostHeaderConfig": {"Values": ["old.*"]}},
        {
            "Type": "redirect",
            "RedirectConfig": {
                "Protocol": "HTTPS",
                "Host": "new.example.com",
                "Port": "8443",
                "Path": "/moved/#{path}",
                "StatusCode": "HTTP_302",
            },
        },
    )
    wait_for(lambda: get(web.url("/api/fixed1")).status == 418, 5, "the rules are in force")

    assert get(web.url("/")).json["name"] == one
    assert get(web.url("/api/orders")).json["name"] == two
    teapot = get(web.url("/api/fixed1"))
    assert teapot.body == b'it\'s "50%"\n' and teapot.headers["content-type"] == "text/plain"
    assert get(web.url("/api/fixed12")).json["name"] == two
    moved = get(web.url("/a/b?c=d&e"), Host="old.example.com")
    assert moved.status == 302
    assert moved.headers["location"] == "https://new.example.com:8443/moved/a/b?c=d&e"

    seen = get(web.url("/"), X_Forwarded_For="192.0.2.7").json["headers"]
    seen = {name.lower(): value for name, value in seen.items()}
    assert seen["x-forwarded-for"].startswith("192.0.2.7, 10.")
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("http", "80")
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", seen["x-amzn-trace-id"])
    begun = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=00f067aa0ba902b7;Sampled=1"
    for named in (begun, f"Self=1-5759e988-{'0' * 24};{begun}"):
        seen = get(web.url("/"), X_Amzn_Trace_Id=named).json["headers"]
        (kept,) = [text for name, text in seen.items() if name.lower() == "x-amzn-trace-id"]
        own, _, rest = kept.partition(";")
        assert rest == begun and own not in named
        assert re.fullmatch(r"Self=1-[0-9a-f]{8}-[0-9a-f]{24}", own)


def test_weights_share_requests_out(web: Web) -> None:
    shares = [
        {"TargetGroupArn": web.groups["one"], "Weight": 90},
        {"TargetGroupArn": web.groups["two"], "Weight": 10},
    ]
    web.rule(10, path("/share"), {"Type": "forward", "ForwardConfig": {"TargetGroups": shares}})
    one, two = web.add("one"), web.add("two")
    wait_for(lambda: get(web.url("/share")).json["name"] == two, 10, "the rule is in force")
    seen = Counter(get(web.url("/share")).json["name"] for _ in range(300))
    assert 8 <= seen[two] <= 60 and seen[one] + seen[two] == 300  # five deviations each way


def test_answers_of_its_own(web: Web) -> None:
    empty = get(web.url())
    assert empty.status == 503 and empty.headers["server"] == "awselb/2.0"
    ip = web.add("one")
    web.end(ip)
    assert get(web.url()).status == 504  # silent, and not yet known to be unhealthy
    other = web.start()
    closed = [{"Id": other, "Port": PORT + 1}]
    web.drop("one", ip)
    web.elb.register_targets(TargetGroupArn=web.groups["one"], Targets=closed)
    web.wait("one", "unhealthy", other)
    wait_for(lambda: get(web.url()).status == 502, 5, "a refused request is a bad gateway")


def test_health_is_what_the_checks_find(web: Web) -> None:
    ill, well = web.start(well=False), web.add("one")
    web.register("one", ill)
    assert web.health("one")[ill]["State"] == "initial"
    web.wait("one", "unhealthy", ill)
    assert web.health("one")[ill] == {
        "State": "unhealthy",
        "Reason": "Target.ResponseCodeMismatch",
        "Description": "Health checks failed with these codes: [500]",
    }
    web.register("two", ill)
    shown = next(one for one in web.cloud.status()["load_balancers"] if one["name"] == "tests-web")
    assert shown["address"] == web.address and shown["state"] == "active"
    wait_for(
        lambda: web.health("two")[ill]["Reason"] == "Target.NotInUse", 10, "nothing forwards to it"
    )

    # With no healthy target at all, every target gets requests, as from an ALB.
    web.drop("one", well)
    wait_for(lambda: get(web.url()).status == 200, 5, "fail-open")
    get(f"http://{ill}:{PORT}/state/well")
    web.wait("one", "healthy", ill)


def test_a_dead_target_leaves_within_its_health_check(web: Web) -> None:
    web.add("one")
    dead = web.add("one")
    with Load(web) as load:
        time.sleep(1)
        killed = time.monotonic()
        web.cloud.podman.kill(web.backends[dead])
        web.wait("one", "unhealthy", dead)
        found = time.monotonic()
        time.sleep(TIMEOUT + 3)
    assert found - killed < 2 * INTERVAL + TIMEOUT + 1
    # Those that were connecting to it when it was found dead may end later.
    assert not [one for one in load.troubles if one[0] > found + TIMEOUT + 0.5], load.troubles[-3:]
    assert web.health("one")[dead]["Reason"] in ("Target.FailedHealthChecks", "Target.Timeout")


def test_no_request_fails_while_targets_rotate(web: Web) -> None:
    current = [web.add("one"), web.add("one")]
    with Load(web) as load:
        for _ in range(10):
            fresh = [web.start(), web.start()]
            web.register("one", *fresh)
            web.wait("one", "healthy", *fresh)
            web.drop("one", *current)
            current = fresh
    load.check(1000)
    for ip in current:
        state = get(f"http://{ip}:{PORT}/state").json
        assert state["served"] > 0 and state["early"] == 0


def test_no_request_before_the_first_good_check(web: Web) -> None:
    web.add("one")
    with Load(web) as load:
        ill = web.add("one", well=False)
        time.sleep(1.5 * INTERVAL)
        assert get(f"http://{ill}:{PORT}/state").json["served"] == 0
        get(f"http://{ill}:{PORT}/state/well")
        web.wait("one", "healthy", ill)
        wait_for(lambda: get(f"http://{ill}:{PORT}/state").json["served"], 5, "requests")
    load.check()
    assert get(f"http://{ill}:{PORT}/state").json["early"] == 0


def test_draining_lets_requests_finish(web: Web) -> None:
    slow = web.add("one")
    answers: list[int] = []

    def ask() -> None:
        answers.append(get(web.url("/slow?s=3")).status)

    asker = threading.Thread(target=ask)
    asker.start()
    time.sleep(0.5)
    web.deregister("one", slow)
    time.sleep(1)
    assert web.health("one")[slow]["State"] == "draining"
    assert get(web.url("/slow?s=0")).status == 503
    asker.join()
    assert answers == [200]
    web.wait("one", None, slow)
    web.register("one", slow)  # comes back as a new target
    web.wait("one", "healthy", slow)
    assert get(web.url("/slow?s=0")).status == 200


def test_rules_change_without_a_failed_request(web: Web) -> None:
    # On a busy machine this takes longer than the minute after which idle connections end.
    web.elb.modify_load_balancer_attributes(
        LoadBalancerArn=web.arn,
        Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "600"}],
    )
    first = web.add("one")
    idle = http.client.HTTPConnection(web.address, 80, timeout=10)
    idle.request("GET", "/idle")
    assert json.loads(idle.getresponse().read())["name"] == first
    with Load(web) as load:
        for number in range(5):
            web.rule(10 + number, path(f"/new/{number}"), fixed(200, "new"))
            url = web.url(f"/new/{number}")
            wait_for(lambda url=url: get(url).body == b"new", 5, "the rule is in force")
        # The connection that has idled through all this belongs to a process of before;
        # it must know neither dead targets nor old rules.
        second = web.add("one")
        web.drop("one", first)
    load.check()
    idle.request("GET", "/idle")
    assert json.loads(idle.getresponse().read())["name"] == second
    idle.request("GET", "/new/4")
    assert idle.getresponse().read() == b"new"


def test_its_container_comes_back_at_the_same_address(web: Web) -> None:
    ip = web.add("one")
    name = next(
        one.name for one in web.cloud.podman.parts("load-balancer") if "tests-web" in one.id
    )
    web.cloud.podman.kill(name)
    wait_for(lambda: _answers(web) and get(web.url()).status == 200, 15, "it answers again")
    assert get(web.url()).json["name"] == ip


def test_listeners_speak_tls(web: Web) -> None:
    import ssl

    ip = web.add("one")
    acm = web.cloud.client("acm")
    certificate = acm.request_certificate(DomainName="shop.example.com")["CertificateArn"]
    web.elb.create_listener(
        LoadBalancerArn=web.arn,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[web.forward("one")],
    )
    trust = ssl.create_default_context(cafile=web.cloud.settings.home / "ca" / "ca.pem")

    def ask() -> dict | None:
        connection = http.client.HTTPSConnection(web.address, 443, timeout=5, context=trust)
        try:
            connection.request("GET", "/")
            return json.loads(connection.getresponse().read())
        except OSError:
            return None
        finally:
            connection.close()

    seen = wait_for(ask, 10, "the HTTPS listener answers")
    assert seen["name"] == ip and seen["headers"]["x-forwarded-proto"] == "https"
    acm.delete_certificate(CertificateArn=certificate)


class Metrics:
    """What CloudWatch says of the load balancer since this was made."""

    def __init__(self, web: Web):
        self._web, self._since = web, time.time() - 1
        self.balancer = {"LoadBalancer": web.arn.split(":loadbalancer/")[1]}

    def group(self, name: str) -> dict[str, str]:
        return {**self.balancer, "TargetGroup": self._web.groups[name].split(":")[-1]}

    def __call__(
        self, name: str, dimensions: dict[str, str], statistic: str = "Sum"
    ) -> float | None:
        """One value of all that was measured; None when nothing was."""
        extended = statistic.startswith("p")
        rows = self._web.cloud.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ApplicationELB", MetricName=name, Period=3600,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=self._since - 3600, EndTime=time.time() + 3600,
            **({"ExtendedStatistics": [statistic]} if extended else {"Statistics": [statistic]}),
        )["Datapoints"]  # fmt: skip
        values = [row["ExtendedStatistics"][statistic] if extended else row[statistic]
                  for row in rows]  # fmt: skip
        return (max if extended or statistic == "Maximum" else sum)(values) if values else None


def _status(url: str) -> int | None:
    """Of an answer; None when the connection fails: HAProxy starts anew."""
    try:
        return get(url).status
    except OSError:
        return None


def test_metrics_tell_the_target_s_errors_from_the_balancer_s_own(web: Web) -> None:
    ip = web.add("one")
    metrics = Metrics(web)
    one, whole = metrics.group("one"), metrics.balancer
    sent = {"/": 200, "/fail": 500, "/drop": 502}
    before: list[int | None] = []  # answers of the target until a rule holds

    def holds(where: str) -> bool:
        before.append(_status(web.url(where)))
        return before[-1] == 503

    web.rule(1, path("/nobody"), web.forward("two"))
    wait_for(lambda: holds("/nobody"), 5, "a group without targets says 503")
    for where, status in sent.items():
        for _ in range(3):
            assert get(web.url(where)).status == status
    web.rule(2, path("/fixed"), fixed(503))  # a reload: HAProxy's own counters begin anew
    wait_for(lambda: holds("/fixed"), 5, "the rule holds")
    assert get(web.url("/slow=0.4")).status == 200
    good = 4 + before.count(200)
    wait_for(
        lambda: metrics("HTTPCode_Target_2XX_Count", one) == good, 15,
        "the requests are in CloudWatch",
    )  # fmt: skip
    assert metrics("RequestCount", one) == metrics("RequestCount", whole) == good + 6
    assert metrics("HTTPCode_Target_5XX_Count", one) == 3
    assert metrics("HTTPCode_Target_5XX_Count", whole) == 3
    assert metrics("HTTPCode_ELB_502_Count", whole) == 3
    own = metrics("HTTPCode_ELB_503_Count", whole)
    assert own >= 1 and metrics("HTTPCode_ELB_5XX_Count", whole) == 3 + own
    assert metrics("HTTPCode_ELB_5XX_Count", one) is None
    assert metrics("HTTP_Fixed_Response_Count", whole) == 1
    assert 0.4 <= metrics("TargetResponseTime", one, "p99") < 2
    assert metrics("TargetResponseTime", one, "p50") < 0.4
    assert metrics("HealthyHostCount", one, "Maximum") == 1
    assert metrics("HealthyHostCount", metrics.group("two"), "Maximum") == 0

    # Nobody at the target's address: the balancer's 504, and a connection that failed.
    web.end(ip)
    assert get(web.url()).status == 504
    wait_for(lambda: metrics("TargetConnectionErrorCount", one), 15, "the failure is counted")
    assert metrics("HTTPCode_ELB_504_Count", whole) == 1
    wait_for(lambda: metrics("UnHealthyHostCount", one, "Maximum") == 1, 30, "it is unhealthy")
    assert metrics("HTTPCode_Target_5XX_Count", one) == 3
