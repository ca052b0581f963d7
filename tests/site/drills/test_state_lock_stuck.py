"""state-lock-stuck: a terraform dies and its lock stays; needs no more than the states and one
stack with a state."""

import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from drydock.settings import PROJECT
from tests.platform.conftest import Cloud
from tests.site.site import Run, Site, evidence, play

RUNBOOK = "runbooks/state-lock-stuck"
STACK = "foundation"
BUCKET, TABLE = "drydock-local-tfstate-123456789012", "drydock-local-tflock"
KEY = f"local/{STACK}.tfstate"
ELSEWHERE = "drill-elsewhere"


@pytest.fixture
def whole() -> None:
    """No workload is looked at here."""


@dataclass(frozen=True)
class States(Site):
    """The states of the environment, and a terraform that somebody starts by hand."""

    folder: Path

    def locks(self) -> list[str]:
        """Kinds of lock that the stack's state has."""
        item = self.cloud.client("dynamodb").get_item(
            TableName=TABLE, Key={"LockID": {"S": f"{BUCKET}/{KEY}"}}
        )
        found = self.cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"{KEY}.tflock")
        return ["table"] * ("Item" in item) + ["file"] * found["KeyCount"]

    def terraform(self, *words: str, host: str = "") -> subprocess.Popen:
        """Start terraform in a folder of its own, on a machine of another name if one is given."""
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "CHECKPOINT_DISABLE": "1",
        }
        settings = self.cloud.settings.home / "terraform.rc"
        if settings.exists():
            environment["TF_CLI_CONFIG_FILE"] = str(settings)
        renamed = ["unshare", "--uts", "sh", "-c", f'hostname {host}; exec "$@"', "sh"]
        return subprocess.Popen(
            [*(renamed if host else []), "terraform", *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @contextmanager
    def waiting(self, host: str = "") -> Iterator[subprocess.Popen]:
        """A terraform that holds the lock while it waits for a yes; killed at the end."""
        process = self.terraform("apply", "-no-color", host=host)
        try:
            _read_until(process, b"Enter a value:", 120)
            yield process
        finally:
            process.kill()
            process.wait(30)

    def leave_a_lock(self, host: str = "") -> None:
        with self.waiting(host) as process:
            os.kill(process.pid, signal.SIGKILL)
        assert self.locks() == ["table", "file"]


def _read_until(process: subprocess.Popen, words: bytes, seconds: float) -> None:
    seen, end = b"", time.monotonic() + seconds
    while words not in seen:
        ready, _, _ = select.select([process.stdout], [], [], max(0, end - time.monotonic()))
        got = os.read(process.stdout.fileno(), 65536) if ready else b""
        assert got, f"terraform did not say {words!r}:\n{seen.decode()}"
        seen += got


@pytest.fixture(scope="module")
def states(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> States:
    """Bootstrapped, one stack provisioned; beside it a folder for a terraform by hand."""
    for step in (("bootstrap",), ("provision", "--limit", STACK)):
        done = play(*step)
        assert done.code == 0, done.story
    folder = tmp_path_factory.mktemp("by-hand")
    # The same state with another configuration: an output more, which waits for its yes.
    (folder / "main.tf").write_text(
        'terraform {\n  backend "s3" {}\n}\noutput "drill" {\n  value = "drill"\n}\n'
        "removed {\n  from = module.network\n  lifecycle {\n    destroy = false\n  }\n}\n"
    )
    made = States(cloud, "", folder)
    settings = {
        "bucket": BUCKET,
        "key": KEY,
        "region": "us-east-1",
        "dynamodb_table": TABLE,
        "use_lockfile": "true",
    }
    shutil.copy(PROJECT / f"terraform/stacks/{STACK}/.terraform.lock.hcl", folder)
    begun = made.terraform(
        "init", "-no-color", *(f"-backend-config={k}={v}" for k, v in settings.items())
    )
    said = begun.communicate(timeout=120)[0].decode()
    assert begun.returncode == 0, said
    return made


@pytest.fixture(autouse=True)
def free(states: States) -> Iterator[None]:
    """Each drill begins and ends without a lock."""
    assert states.locks() == []
    yield
    states.cloud.client("dynamodb").delete_item(
        TableName=TABLE, Key={"LockID": {"S": f"{BUCKET}/{KEY}"}}
    )
    states.cloud.client("s3").delete_object(Bucket=BUCKET, Key=f"{KEY}.tflock")


def _provision() -> Run:
    return play("provision", "--limit", STACK)


def _expect(run: Run, code: int, *says: str) -> None:
    assert (run.code == 0) == (code == 0), run.story
    # The terminal's width breaks lines.
    flat = " ".join(run.output.split())
    for words in says:
        assert words in flat, f"{words!r} is not said:\n{run.story}"


def _rehearse(states: States, *words: str) -> dict:
    """--check changes nothing and says what the run then does; the state is free again."""
    mark = states.mark()
    _expect(
        play(RUNBOOK, *words, "--check"), 0, "release lock", "a terraform that is dead has left"
    )
    assert states.changes_since(mark) == [] and states.locks() == ["table", "file"]
    # Red: without the runbook it stays so.
    _expect(_provision(), 1, "its state is locked")
    assert states.locks() == ["table", "file"]
    began = time.monotonic()
    _expect(play(RUNBOOK, *words), 0, "a terraform that is dead has left")
    print(f"state-lock-stuck: free {time.monotonic() - began:.1f} s after its start", flush=True)
    assert states.locks() == []
    record = evidence(states.cloud.settings.home, "state-lock-stuck")
    _expect(_provision(), 0)
    again = play(RUNBOOK, *words)
    _expect(again, 0, f"no state of {STACK} is locked")
    assert set(again.changed.values()) == {0}
    return record["runbook"]


def test_a_terraform_that_was_killed_here_is_found_dead(states: States) -> None:
    states.leave_a_lock()
    kept = _rehearse(states, "-e", f"stack={STACK}")
    assert [one["what"].endswith("done") for one in kept["actions"]] == [True, True]
    findings = kept["facts"][0]["findings"]
    assert {one["verdict"] for one in findings} == {"dead"}
    assert all("root@" in one["holder"] for one in findings)


def test_a_terraform_that_works_keeps_its_lock(states: States) -> None:
    with states.waiting() as process:
        refused = play(RUNBOOK, "-e", f"stack={STACK}")
        _expect(refused, 1, f"process {process.pid}", "Nothing was released", "wait until")
        assert states.locks() == ["table", "file"]
    assert states.locks() == ["table", "file"]


@pytest.mark.beside
def test_a_lock_of_another_machine_needs_the_word_of_a_person(states: States) -> None:
    states.leave_a_lock(host=ELSEWHERE)
    refused = play(RUNBOOK, "-e", f"stack={STACK}")
    _expect(refused, 1, f"-e dead_holder=root@{ELSEWHERE}", "another machine")
    wrong = play(RUNBOOK, "-e", f"stack={STACK}", "-e", "dead_holder=root@nowhere")
    _expect(wrong, 1, "Nothing was released")
    assert states.locks() == ["table", "file"]
    _rehearse(states, "-e", f"stack={STACK}", "-e", f"dead_holder=root@{ELSEWHERE}")


@pytest.mark.beside
def test_a_state_that_was_written_and_not_noted_is_noted(states: States) -> None:
    """As after a kill between the two writes: the newest version is whole, the note is behind."""
    s3, dynamodb = states.cloud.client("s3"), states.cloud.client("dynamodb")
    body = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    state = json.loads(body)
    newer = json.dumps({**state, "serial": state["serial"] + 1}).encode()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=newer)
    _expect(_provision(), 1, "does not have the expected content")
    _expect(play(RUNBOOK), 0, f"digest of {STACK}")
    item = dynamodb.get_item(TableName=TABLE, Key={"LockID": {"S": f"{BUCKET}/{KEY}-md5"}})
    assert item["Item"]["Digest"]["S"] == hashlib.md5(newer).hexdigest()  # noqa: S324
    _expect(_provision(), 0)


def test_a_stack_that_is_none_is_refused(states: States) -> None:
    mark = states.mark()
    _expect(play(RUNBOOK, "-e", "stack=nonsense"), 1, "nonsense is no stack", "foundation")
    assert states.changes_since(mark) == []
