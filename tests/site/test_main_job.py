"""The main job, on the whole platform: used, repeated, raced and broken."""

import json
import os
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import requests

from drydock import images
from drydock.settings import PROJECT
from tests.platform.conftest import wait_for

from .site import Site, commit, evidence, finish, load, play, start

# One stack is as good as all where a test is about the way and not about what is built: one of
# which a change is quick, and one of whose change the provider waits long enough to be met in it.
ONE = ("--limit", "solana")
SLOW = ("--limit", "platform")


def test_hello_is_served_through_the_load_balancer(site):
    answer = requests.get(f"{site.url}/", timeout=5)
    assert answer.status_code == 200
    assert "<html" in answer.text.lower()
    touched = subprocess.run(
        ["git", "log", "-1", "--format=%H", "--", "apps/hello"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert touched[:12] in answer.text


def test_an_order_is_stored_and_read(site):
    order = {"symbol": "SOL-USD", "side": "buy", "quantity": "2", "price": "150.25"}
    key = str(uuid.uuid4())
    api = f"{site.url}/api/trading"
    made = requests.post(f"{api}/orders", json=order, headers={"Idempotency-Key": key}, timeout=5)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    read = requests.get(f"{api}/orders/{number}", timeout=5)
    assert read.status_code == 200
    assert read.json()["symbol"] == "SOL-USD"
    # The same key again stores nothing new.
    again = requests.post(f"{api}/orders", json=order, headers={"Idempotency-Key": key}, timeout=5)
    assert again.json()["id"] == number
    # The row is in the database behind the API, not only in the service.
    assert site.rows(f"SELECT symbol FROM orders WHERE id = '{number}'") == ["SOL-USD"]  # noqa: S608


def test_the_second_hot_read_is_a_hit(site):
    url = f"{site.url}/api/trading/instruments/BTC-USD"
    requests.get(url, timeout=5)
    second = requests.get(url, timeout=5)
    assert second.headers["X-Cache"] == "hit"
    unknown = requests.get(f"{site.url}/api/trading/instruments/NOPE-USD", timeout=5)
    assert unknown.status_code == 404


def test_verify_finds_nothing_and_changes_nothing(site):
    mark = site.mark()
    done = play("verify")
    assert done.code == 0, done.story
    assert re.search(r"\b\d+ passed", done.output)
    assert site.changes_since(mark) == []


def test_verify_finds_an_open_database(site):
    """The negative control: a rule that someone added by hand is found and named."""
    ec2 = site.cloud.client("ec2")
    (group,) = [
        found["GroupId"]
        for found in ec2.describe_security_groups()["SecurityGroups"]
        if found["GroupName"] == "drydock-local-database"
    ]
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    try:
        done = play("verify")
    finally:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    assert done.code != 0
    assert group in done.output


def test_a_second_run_changes_nothing_and_builds_nothing(site):
    mark = site.mark()
    built = _images(site)
    for playbook in ("bootstrap", "provision", "deploy"):
        done = play(playbook)
        assert done.code == 0, done.story
        assert set(done.changed.values()) == {0}, (playbook, done.story)
        assert set(_changes(evidence(site.cloud.settings.home, playbook))) == {0}
    assert site.changes_since(mark) == []
    assert _images(site) == built


def _images(site: Site) -> list[str]:
    """This cloud's images: the workloads' and their base; other clouds build theirs meanwhile."""
    settings = site.cloud.settings
    own = (f"{settings.registry}/", images.DEBIAN, images.NODE, images.UV)
    listed = site.cloud.podman.command("images", "--format={{.Repository}}:{{.Tag}} {{.Id}}").stdout
    found = sorted(line for line in listed.splitlines() if line.startswith(own))
    assert found, listed
    return found


def _changes(record: dict) -> list[int]:
    return [counts["changed"] for counts in record["hosts"].values()]


def test_check_shows_a_change_and_makes_none(site):
    mark = site.mark()
    done = play("provision", *ONE, "--check", "-e", "log_retention_days=14")
    assert done.code == 0, done.story
    assert "aws_cloudwatch_log_group" in done.output
    assert site.changes_since(mark) == []
    assert play("provision", *ONE, "--check").changed["solana"] == 0


def test_two_provisions_at_once_one_wins(site):
    change = [*ONE, "-e", "log_retention_days=3"]
    first = start("provision", *change)
    second = start("provision", *change)
    runs = [finish(first), finish(second)]
    winner, loser = sorted(runs, key=lambda run: run.code)
    assert winner.code == 0, winner.story
    assert loser.code != 0
    said = loser.output
    assert "local/operations" in said and "provision" in said and re.search(r"\S+@\S+", said), said
    # The state is whole: a plan over it finds nothing to do, and going back works.
    assert set(play("provision", *change).changed.values()) == {0}
    assert play("provision", *ONE).code == 0


def test_a_killed_terraform_leaves_no_lock(site):
    """Killed in the middle of an apply, as by the kernel for want of memory."""
    run = start("provision", *SLOW, "-e", "log_retention_days=5")
    below = f"TF_DATA_DIR={site.cloud.settings.home}/terraform/local/platform".encode()

    def applying() -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                ours = below in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if ours and Path(words[0].decode()).name == "terraform" and b"apply" in words:
                found.append(int(entry.name))
        return found

    (pid, *_) = wait_for(applying, 120, "terraform applies", every=0.02)
    os.kill(pid, signal.SIGKILL)
    killed = finish(run)
    assert killed.code != 0
    assert "ended by signal 9" in killed.output
    again = play("provision", *SLOW)
    assert again.code == 0, again.story
    assert set(play("provision", *SLOW).changed.values()) == {0}


def test_a_killed_task_is_replaced_and_not_sent_to(site):
    before = site.tasks("hello")
    assert len(before) == 2
    victim = before[0]
    (part,) = [part for part in site.cloud.podman.parts("task") if part.id in victim["id"]]
    with load(f"{site.url}/") as traffic:
        wait_for(lambda: traffic.total > 50, 10, "load is flowing")
        killed = time.monotonic()
        site.cloud.podman.kill(part.name)
        wait_for(
            lambda: (
                len(site.tasks("hello")) == 2
                and victim["ip"] not in [task["ip"] for task in site.tasks("hello")]
                and len(_healthy(site, "hello")) == 2
            ),
            60,
            "another task in its place, healthy",
        )
        recovered = time.monotonic() - killed
        seen = traffic.total
        wait_for(lambda: traffic.total > seen + 100, 10, "load goes on")
    print(f"replaced and healthy after {recovered:.1f} s; {traffic.answers}")
    # An ALB finds out by its check: interval times threshold; the task's own death is told at once.
    check = _health_check(site, "hello")
    window = check["HealthCheckIntervalSeconds"] * check["UnhealthyThresholdCount"]
    limit = killed - traffic.begun + window + 1
    late = [failure for failure in traffic.failures if failure[0] > limit]
    assert late == [], traffic.failures
    assert victim["ip"] not in [target["Target"]["Id"] for target in _healthy(site, "hello")]


def _target_group(site: Site, workload: str) -> str:
    return site.service(workload)["loadBalancers"][0]["targetGroupArn"]


def _healthy(site: Site, workload: str) -> list[dict]:
    described = site.cloud.client("elbv2").describe_target_health(
        TargetGroupArn=_target_group(site, workload)
    )
    return [
        target
        for target in described["TargetHealthDescriptions"]
        if target["TargetHealth"]["State"] == "healthy"
    ]


def _health_check(site: Site, workload: str) -> dict:
    return site.cloud.client("elbv2").describe_target_groups(
        TargetGroupArns=[_target_group(site, workload)]
    )["TargetGroups"][0]


def _page(mark: str) -> str:
    return f"<!doctype html><html><title>{mark}</title><body>{mark}</body></html>\n"


@pytest.mark.parametrize("revision", ["zzz", "0" * 40, "HEAD~100000", "--help"])
def test_a_bad_revision_is_refused_before_any_change(site, revision):
    mark = site.mark()
    done = play("deploy", "-e", f"deploy_revision={revision}")
    assert done.code != 0
    assert revision in done.output
    assert "Take the lock" not in done.output
    assert site.changes_since(mark) == []


def test_a_new_revision_under_load_loses_no_request(site, tmp_path):
    mark = f"rolled-{uuid.uuid4().hex[:8]}"
    page = next((PROJECT / "apps/hello").rglob("index.html")).relative_to(PROJECT)
    revision = commit({str(page): _page(mark)}, "another page", tmp_path)
    before = site.primary("hello")["id"]
    with load(f"{site.url}/", f"{site.url}/api/trading/instruments/SOL-USD") as traffic:
        done = play("deploy", "--limit", "hello", "-e", f"deploy_revision={revision}")
        wait_for(lambda: mark in requests.get(f"{site.url}/", timeout=5).text, 30, "served")
        seen = traffic.total
        wait_for(lambda: traffic.total > seen + 200, 20, "load goes on over the new tasks")
    assert done.code == 0, done.story
    print(f"{traffic.total} requests, slowest {traffic.longest:.2f} s")
    assert traffic.failures == []
    assert traffic.total > 500
    after = site.primary("hello")
    assert after["id"] != before
    assert after["rolloutState"] == "COMPLETED"


def test_a_release_is_rolled_back_under_load_and_nothing_is_built(site):
    page = requests.get(f"{site.url}/", timeout=5).text
    assert "rolled-" in page  # what the test before has released
    current = site.primary("hello")["taskDefinition"].rpartition("/")[2]
    built, mark = _images(site), site.mark()
    rehearsed = play("rollback", "--limit", "hello", "--check")
    assert rehearsed.code == 0, rehearsed.story
    assert f" instead of {current}, its configuration included" in rehearsed.output
    assert site.changes_since(mark) == []
    for limit, to, says in (
        ("hello", current, f"{current} is what runs now"),
        ("hello", "99999", "No deployment of 99999 is known"),
        ("workloads", "", "A roll back is of one workload"),
    ):
        refused = play("rollback", "--limit", limit, "-e", f"rollback_to={to}")
        assert refused.code != 0 and says in " ".join(refused.output.split()), refused.story
    assert site.changes_since(mark) == []
    with load(f"{site.url}/", f"{site.url}/api/trading/instruments/SOL-USD") as traffic:
        begun = time.monotonic()
        done = play("rollback", "--limit", "hello")
        print(f"rolled back in {time.monotonic() - begun:.0f} s")
        wait_for(lambda: traffic.total > 500, 20, "load goes on over the earlier release")
    assert done.code == 0, done.story
    assert traffic.failures == []
    assert "rolled-" not in requests.get(f"{site.url}/", timeout=5).text
    assert site.primary("hello")["rolloutState"] == "COMPLETED"
    assert _images(site) == built
    assert "RegisterTaskDefinition" not in " ".join(site.changes_since(mark))


def test_an_image_that_exits_at_once_is_rolled_back_and_fails_the_play(site, tmp_path):
    served = requests.get(f"{site.url}/", timeout=5).text
    path = "apps/hello/Dockerfile"
    lines = (PROJECT / path).read_text().splitlines()
    broken = [line for line in lines if not line.startswith(("CMD", "ENTRYPOINT"))]
    revision = commit(
        {path: "\n".join([*broken, 'ENTRYPOINT ["sh", "-c", "exit 3"]', ""])},
        "an image that exits at once",
        tmp_path,
    )
    with load(f"{site.url}/") as traffic:
        done = play("deploy", "--limit", "hello", "-e", f"deploy_revision={revision}")
    assert done.code != 0
    failed = re.search(r"ecs-svc/\d+", done.output)
    assert failed, done.story
    assert "circuit breaker" in done.output
    assert failed[0] != site.primary("hello")["id"]
    assert traffic.failures == []
    assert requests.get(f"{site.url}/", timeout=5).text == served
    # Deploying what is served again needs no change: the platform is whole.
    wait_for(
        lambda: site.primary("hello")["rolloutState"] == "COMPLETED", 60, "the roll-back is done"
    )


def test_no_secret_is_shown(site):
    """The database's password is in no output, evidence, log or process list."""
    secrets = site.cloud.client("secretsmanager")
    arn = site.database()["MasterUserSecret"]["SecretArn"]
    password = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["password"]
    shown = (
        play("deploy", "-vvv").output
        + play("provision", "--limit", "data", "-vvv", "--diff").output
    )
    assert password not in shown
    home = site.cloud.settings.home
    for folder in ("evidence", "log", "terraform"):
        for path in (home / folder).rglob("*"):
            if path.is_file() and path.stat().st_size < 20_000_000:
                assert password.encode() not in path.read_bytes(), path
    listing = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True)
    assert password not in listing.stdout
    s3 = site.cloud.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for item in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            body = s3.get_object(Bucket=bucket["Name"], Key=item["Key"])["Body"].read()
            assert password.encode() not in body, item["Key"]
