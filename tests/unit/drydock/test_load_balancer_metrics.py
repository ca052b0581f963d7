"""What a load balancer's log means in AWS's metrics."""

import os
from pathlib import Path

import pytest

from drydock.controllers.load_balancer.access_log import AccessLog, tally
from drydock.controllers.load_balancer.metrics import publish
from drydock.metrics import Metrics
from drydock.moto import elbv2

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/one/aa"
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/cc"


def counted(line: str) -> tuple[dict, dict]:
    """(what is the group's, what is nobody's) of one line."""
    (second,) = tally([line.encode()]).values()
    return dict(second.groups.get("one.aa", {})), dict(second.own)


# Lines as HAProxy 3.0 wrote them, for a target that answered, or failed, in that way.
@pytest.mark.parametrize(
    ("line", "group", "own"),
    [
        ("1700000000035 one.aa 10.0.0.1:80 200 -- 3 0",
         {"RequestCount": 1, "HTTPCode_Target_2XX_Count": 1}, {}),
        ("1700000000035 one.aa 10.0.0.1:80 200 SD 4 0",  # died in the middle of its answer
         {"RequestCount": 1, "HTTPCode_Target_2XX_Count": 1}, {}),
        ("1700000000035 one.aa open-10.0.0.1:80 503 -- 301 0",  # a target's own 503
         {"RequestCount": 1, "HTTPCode_Target_5XX_Count": 1}, {}),
        ("1700000000035 one.aa 10.0.0.1:80 502 PH -1 0",  # not HTTP
         {"RequestCount": 1}, {"HTTPCode_ELB_5XX_Count": 1, "HTTPCode_ELB_502_Count": 1}),
        ("1700000000035 one.aa 10.0.0.1:80 502 SH -1 0",  # closed without an answer
         {"RequestCount": 1}, {"HTTPCode_ELB_5XX_Count": 1, "HTTPCode_ELB_502_Count": 1}),
        ("1700000000035 one.aa 10.0.0.1:80 504 sH -1 5",  # silent
         {"RequestCount": 1}, {"HTTPCode_ELB_5XX_Count": 1, "HTTPCode_ELB_504_Count": 1}),
        ("1700000000035 one.aa 10.0.0.1:80 502 SC -1 -1",  # refused the connection
         {"RequestCount": 1, "TargetConnectionErrorCount": 1},
         {"HTTPCode_ELB_5XX_Count": 1, "HTTPCode_ELB_502_Count": 1}),
        ("1700000000035 one.aa <NOSRV> 503 SC -1 -1",  # no target: AWS counts no request
         {}, {"HTTPCode_ELB_5XX_Count": 1, "HTTPCode_ELB_503_Count": 1}),
        ("1700000000035 port-80 <NOSRV> 400 PR -1 -1", {}, {"HTTPCode_ELB_4XX_Count": 1}),
        ("1700000000035 one.aa 10.0.0.1:80 -1 CH -1 0",  # the client left
         {"RequestCount": 1}, {"HTTPCode_ELB_4XX_Count": 1}),
        ("1700000000035 port-80 <NOSRV> 503 LR -1 -1", {}, {"HTTP_Fixed_Response_Count": 1}),
        ("1700000000035 port-80 <NOSRV> 301 LR -1 -1", {}, {"HTTP_Redirect_Count": 1}),
    ],
)  # fmt: skip
def test_who_made_the_answer(line: str, group: dict, own: dict) -> None:
    assert counted(line) == (group, own)


def test_what_an_old_process_hands_to_the_new_one_is_counted_once() -> None:
    assert not tally([b"1700000000035 relay-80 next 200 -- 3 0"])


def test_a_line_cut_off_is_left_out() -> None:
    assert not tally([b"0 one.aa 10.0.0.1:80 200 --"])


def test_what_haproxy_says_of_itself_is_no_request() -> None:
    lines = [
        b"Server one.aa/10.0.0.1:80 remains in forced drain mode.",
        b"1700000000035 one.aa s 200 -- 3 0",
    ]
    (second,) = tally(lines).values()
    assert second.groups["one.aa"]["RequestCount"] == 1


def test_seconds_and_times_are_kept_apart() -> None:
    lines = [f"17000000{n:02}500 one.aa s 200 -- {n} 0".encode() for n in (1, 1, 2)]
    found = tally(lines)
    assert {second: made.groups["one.aa"]["RequestCount"] for second, made in found.items()} == {
        1700000001: 2, 1700000002: 1
    }  # fmt: skip
    assert found[1700000001].times["one.aa"] == [0.001, 0.001]


def test_metrics_have_aws_s_dimensions() -> None:
    listener = elbv2.Listener(
        "arn", 80, "HTTP",
        [elbv2.Rule("default", [], [{"Type": "forward", "TargetGroupArn": GROUP}])], [],
    )  # fmt: skip
    balancer = elbv2.LoadBalancer(
        ARN, "web", "application", "10.0.0.4", "subnet-1", "active", {}, [listener]
    )
    (second,) = tally([b"1700000000035 one.aa s 500 -- 40 0"] * 3
                      + [b"1700000000035 one.aa <NOSRV> 503 SC -1 -1"]).values()  # fmt: skip
    metrics = Metrics()
    publish(metrics, balancer, 1700000000, second, {"one.aa": 2})
    made = {(d.name, tuple(name for name, _ in d.dimensions)): d for d in metrics.take()}
    whole, both = ("LoadBalancer",), ("LoadBalancer", "TargetGroup")
    for dimensions in (whole, both):
        assert made["RequestCount", dimensions].values == (3,)
        assert made["HTTPCode_Target_5XX_Count", dimensions].values == (3,)
        assert made["TargetResponseTime", dimensions].values == (0.04,) * 3
    assert made["HTTPCode_ELB_503_Count", whole].values == (1,)
    assert ("HTTPCode_ELB_503_Count", both) not in made
    assert made["RequestCountPerTarget", ("TargetGroup",)].values == (1.5,)
    one = made["RequestCount", both]
    assert dict(one.dimensions) == {
        "LoadBalancer": "app/web/cc",
        "TargetGroup": "targetgroup/one/aa",
    }
    assert (one.region, one.namespace, one.at) == ("us-east-1", "AWS/ApplicationELB", 1700000000)


# --- the file ------------------------------------------------------------------------------


def test_only_whole_lines_are_read_and_each_once(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    log = AccessLog(file)
    assert log.read() == []
    file.write_bytes(b"one\ntw")
    assert log.read() == [b"one"]
    with file.open("ab") as more:
        more.write(b"o\n")
    assert (log.read(), log.read()) == ([b"two"], [])


def test_a_new_process_s_file_is_read_from_its_start(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    log = AccessLog(file)
    file.write_bytes(b"one\n")
    log.read()
    file.rename(tmp_path / "old")  # keeps the inode from being used again
    file.write_bytes(b"new\n")
    assert log.read() == [b"new"]


def test_what_was_read_takes_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drydock.controllers.load_balancer.access_log._FREE_BYTES", 1 << 20)
    file = tmp_path / "access.log"
    log, line = AccessLog(file), b"x" * 1023 + b"\n"
    file.write_bytes(line * 3000)
    os.sync()
    read = len(log.read())
    with file.open("ab") as more:
        more.write(b"last\n")
    assert read == 3000 and log.read() == [b"last"]
    assert file.stat().st_blocks * 512 < 1 << 20
