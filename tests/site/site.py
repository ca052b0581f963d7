"""The platform as its users and its operators see it: plays, loads, and commits to deploy."""

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import requests

from drydock import audit
from drydock.settings import PROJECT
from tests.platform.conftest import Cloud


@dataclass(frozen=True)
class Run:
    """One run of a playbook.

    Attributes:
        changed: host → number of changed tasks, from the play recap.
    """

    code: int
    output: str
    changed: dict[str, int]

    @property
    def story(self) -> str:
        """What failed, wherever it is said, and how the output ended."""
        wrong = [line for line in self.output.splitlines() if _WRONG.match(line)]
        return "\n".join([*wrong, "…", self.output[-3000:]])


_WRONG = re.compile(r"\[ERROR\]|fatal: |failed: ")


@dataclass(frozen=True)
class Site:
    """The platform as its users know it."""

    cloud: Cloud
    url: str
    cluster = "drydock-local"
    operator = "test"  # the access key of who runs playbooks; nodes and functions have their own

    @classmethod
    def of(cls, cloud: Cloud) -> Self:
        """The site that has been deployed on a cloud."""
        (balancer,) = [
            found for found in cloud.status()["load_balancers"] if found["name"] == "drydock-local"
        ]
        return cls(cloud, f"http://{balancer['address']}")

    def database(self) -> dict:
        """The platform's instance, as RDS describes it."""
        rds = self.cloud.client("rds")
        return rds.describe_db_instances(DBInstanceIdentifier="drydock-local")["DBInstances"][0]

    def rows(self, query: str) -> list[str]:
        """What the database itself answers, asked past every service: columns between ``|``."""
        database = self.database()
        shown = {row["id"]: row for row in self.cloud.status()["databases"]}
        nodes = shown[database["DBInstanceIdentifier"]]["nodes"]
        (primary,) = [node["id"] for node in nodes if node["role"] == "primary"]
        answer = self.cloud.podman.execute(
            self.cloud.podman.part_name("database", primary),
            ["psql", "--host=/part", "--username=rdsadmin", "--tuples-only", "--no-align",
             f"--command={query}", database["DBName"]],
            user="postgres",
        )  # fmt: skip
        if answer.code:
            raise AssertionError(f"{query}: {answer.stderr}")
        return answer.stdout.split("\n")[:-1]

    def service(self, name: str) -> dict:
        ecs = self.cloud.client("ecs")
        return ecs.describe_services(cluster=self.cluster, services=[self.service_name(name)])[
            "services"
        ][0]

    def service_name(self, workload: str) -> str:
        ecs = self.cloud.client("ecs")
        names = [
            arn.rsplit("/", 1)[-1] for arn in ecs.list_services(cluster=self.cluster)["serviceArns"]
        ]
        return next(name for name in names if workload.replace("_", "-") in name.replace("_", "-"))

    def primary(self, name: str) -> dict:
        return next(d for d in self.service(name)["deployments"] if d["status"] == "PRIMARY")

    def tasks(self, workload: str) -> list[dict]:
        """Running containers of a workload, as ``drydock status`` lists them."""
        name = self.service_name(workload)
        return [
            task
            for task in self.cloud.status()["tasks"]
            if task["service"] == name and task["status"] == "RUNNING"
        ]

    def mutating_since(self, mark: int) -> list[str]:
        """The operator's calls that could have changed something, locks and states included."""
        return [
            f"{row['service']}:{row['action']}"
            for row in audit.read(self.cloud.settings.audit, mark)
            if row["mutating"] and row["caller"]["access_key"] == self.operator
        ]

    def changes_since(self, mark: int) -> list[str]:
        """Those of them that are of neither locks nor states."""
        return [
            call for call in self.mutating_since(mark) if not call.startswith(("s3:", "dynamodb:"))
        ]

    def mark(self) -> int:
        return audit.mark(self.cloud.settings.audit)


_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", re.MULTILINE)


def _environment() -> dict[str, str]:
    """What a shell has that knows nothing of AWS."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "ANSIBLE_FORCE_COLOR": "false"}


def start(playbook: str, *arguments: str, inventory: str = "local") -> subprocess.Popen:
    """Starts a playbook or ``runbooks/<name>``; its output and errors go to a pipe."""
    path = playbook if "/" in playbook else f"playbooks/{playbook}"
    return subprocess.Popen(
        [
            PROJECT / ".venv/bin/ansible-playbook",
            "-i",
            f"inventories/{inventory}",
            f"{path}.yml",
            *arguments,
        ],
        cwd=PROJECT,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen, timeout: float = 1500) -> Run:
    """Waits for a started playbook."""
    output, _ = process.communicate(timeout=timeout)
    changed = {host: int(count) for host, count in _RECAP.findall(output)}
    return Run(process.returncode, output, changed)


def play(playbook: str, *arguments: str, inventory: str = "local") -> Run:
    """Runs a playbook to its end."""
    return finish(start(playbook, *arguments, inventory=inventory))


def commit(files: dict[str, str], message: str, tmp_path: Path) -> str:
    """Makes a commit on top of HEAD with files replaced; touches neither tree nor branch.

    Returns:
        Its id.
    """

    def git(*arguments: str, stdin: str | None = None) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=PROJECT,
            env={
                **os.environ,
                "GIT_INDEX_FILE": str(tmp_path / "index"),
                "GIT_AUTHOR_NAME": "tests",
                "GIT_AUTHOR_EMAIL": "tests@example.invalid",
                "GIT_COMMITTER_NAME": "tests",
                "GIT_COMMITTER_EMAIL": "tests@example.invalid",
            },
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    git("read-tree", "HEAD")
    for path, content in files.items():
        blob = git("hash-object", "-w", "--stdin", stdin=content)
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    return git("commit-tree", git("write-tree"), "-p", "HEAD", "-m", message)


@dataclass
class Load:
    """What a steady load of requests met.

    Attributes:
        answers: HTTP status, or the error's name, → how often.
        failures: (seconds since the load began, URL, what happened).
        longest: seconds of the slowest answer.
        begun: ``time.monotonic()`` at its start.
    """

    answers: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[float, str, str]] = field(default_factory=list)
    longest: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> int:
        return sum(self.answers.values())


@contextmanager
def load(
    *urls: str, threads: int = 4, pause: float = 0.02, call: dict | None = None
) -> Iterator[Load]:
    """Sends requests from several threads until the block ends: GET, or POST of a JSON-RPC call,
    which must have a result.

    Half of the threads keep their connection, half open one for each request: both meet
    other faults when a target goes away.
    """
    result, lock, ended = Load(), threading.Lock(), threading.Event()

    def work(number: int) -> None:
        session = requests.Session()
        while not ended.is_set():
            for url in urls:
                started = time.monotonic()
                try:
                    method = "GET" if call is None else "POST"
                    answer = (session if number % 2 else requests).request(
                        method, url, json=call, timeout=10
                    )
                    what, good = str(answer.status_code), answer.status_code == 200
                    if call is not None and good and "result" not in answer.json():
                        what, good = answer.text[:200], False
                except requests.RequestException as error:
                    what, good = type(error).__name__, False
                with lock:
                    result.answers[what] = result.answers.get(what, 0) + 1
                    result.longest = max(result.longest, time.monotonic() - started)
                    if not good:
                        result.failures.append((round(started - result.begun, 2), url, what))
            time.sleep(pause)

    workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield result
    finally:
        ended.set()
        for worker in workers:
            worker.join(timeout=30)


def evidence(home: Path, playbook: str) -> dict:
    """The newest evidence record of a playbook."""
    records = sorted(
        (home / "evidence/local").glob("*.json"), key=lambda path: path.stat().st_mtime
    )
    for path in reversed(records):
        record = json.loads(path.read_text())
        if Path(record["playbook"]).stem == playbook:
            return record
    raise AssertionError(f"no evidence of {playbook} in {home}/evidence/local")
