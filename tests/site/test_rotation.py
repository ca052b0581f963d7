"""The database's password is rotated under load, and the Trading API's users see nothing of it.

The Shop takes the password at its start: a task that is refused makes way for one that has the new.
"""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from tests.platform.conftest import wait_for

from .site import Site, load

API = "/api/trading"


class Orders:
    """Orders that are placed one after another.

    Attributes:
        placed: ids that were acknowledged. failed: what else was answered.
    """

    def __init__(self) -> None:
        self.placed: list[str] = []
        self.failed: list[str] = []


@contextmanager
def orders(site: Site) -> Iterator[Orders]:
    """Places orders until the block ends."""
    result, ended = Orders(), threading.Event()
    body = {"symbol": "SOL-USD", "side": "buy", "quantity": "1", "price": "150.25"}

    def work() -> None:
        while not ended.is_set():
            try:
                answer = requests.post(
                    f"{site.url}{API}/orders", json=body, timeout=10,
                    headers={"Idempotency-Key": str(uuid.uuid4())},
                )  # fmt: skip
            except requests.RequestException as error:
                result.failed.append(type(error).__name__)
                continue
            if answer.status_code == 201:
                result.placed.append(answer.json()["id"])
            else:
                result.failed.append(answer.text)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield result
    finally:
        ended.set()
        worker.join(timeout=30)


def refused(site: Site, user: str, password: str) -> bool:
    """Whether the database lets nobody in with these any more."""
    database = site.database()
    nodes = site.cloud.status()["databases"][0]["nodes"]
    primary = next(node["id"] for node in nodes if node["role"] == "primary")
    address = database["Endpoint"]["Address"]
    done = site.cloud.podman.execute(
        site.cloud.podman.part_name("database", primary),
        ["sh", "-c", 'read PGPASSWORD; export PGPASSWORD; exec psql --host="$0" --username="$1" '
         '--dbname="$2" --no-password --command="SELECT 1"', address, user, database["DBName"]],
        stdin=f"{password}\n",
    )  # fmt: skip
    assert not done.code or "password authentication failed" in done.stderr, done.stderr
    return bool(done.code)


def sessions(site: Site, *workloads: str) -> str:
    """SQL's FROM and WHERE of the connections that workloads' tasks have open."""
    addresses = ", ".join(f"'{task['ip']}'" for name in workloads for task in site.tasks(name))
    return f"FROM pg_stat_activity WHERE client_addr IN ({addresses})"


def test_a_rotation_under_load_fails_no_request(site: Site) -> None:
    secrets = site.cloud.client("secretsmanager")
    arn = site.database()["MasterUserSecret"]["SecretArn"]
    before = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    assert not refused(site, before["username"], before["password"])
    of_tasks = sessions(site, "trading_api")
    with load(f"{site.url}{API}/orders?limit=5") as reads, orders(site) as writes:
        wait_for(lambda: reads.total > 50 and len(writes.placed) > 10, 30, "load is flowing")
        begun = site.rows("SELECT now()")[0]
        secrets.rotate_secret(SecretId=arn)

        def rotated() -> bool:
            now = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
            return now["password"] != before["password"]

        wait_for(rotated, 60, "the secret is rotated")
        assert refused(site, before["username"], before["password"])
        # What is open outlives a change of password: only new connections need the new one.
        site.rows(f"SELECT pg_terminate_backend(pid) {of_tasks} AND backend_start < '{begun}'")
        read, written = reads.total, len(writes.placed)
        wait_for(
            lambda: reads.total > read + 100 and len(writes.placed) > written + 20, 30,
            "load goes on",
        )  # fmt: skip
        assert int(site.rows(f"SELECT count(*) {of_tasks} AND backend_start > '{begun}'")[0])
    assert reads.failures == [] and writes.failed == []
    kept = set(site.rows("SELECT id FROM orders"))
    assert set(writes.placed) <= kept


def test_the_shop_comes_back_by_itself(site: Site) -> None:
    """After the rotation above: its open connections are cut, as a failover would."""
    reads = {"product": "/api/product/products?limit=1", "order": "/api/order/orders?limit=1"}
    assert site.rows(f"SELECT pg_terminate_backend(pid) {sessions(site, *reads)}")
    gone = {task["id"] for name in reads for task in site.tasks(name)}

    def back() -> bool:
        answers = [requests.get(f"{site.url}{path}", timeout=10) for path in reads.values()]
        tasks = [site.tasks(name) for name in reads]
        return all(answer.status_code == 200 for answer in answers) and all(
            len(some) >= 2 and not gone & {task["id"] for task in some} for some in tasks
        )

    wait_for(back, 180, "the Shop serves by tasks that have the new password")
