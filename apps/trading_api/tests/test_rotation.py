"""The database's password changes under load: no request fails, and none of it is logged."""

import asyncio
import json
import secrets

import asyncpg
import boto3
import pytest
import structlog
from conftest import API, place, settings_for
from moto.server import ThreadedMotoServer
from ports import free_port

from trading_api import credentials
from trading_api.database import DatabaseUnreachable
from trading_api.schema import ensure_schema
from trading_api.settings import ConfigurationError, load

REGION = "us-east-1"


@pytest.fixture(scope="module")
def aws():
    """A Secrets Manager on loopback; yields its client."""
    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield boto3.client("secretsmanager", region_name=REGION)
    server.stop()


class Rotated:
    """A role of the database and its secret, changed as RDS does: the database comes first."""

    def __init__(self, sql, client) -> None:
        self.user = f"rotated_{secrets.token_hex(4)}"
        self.passwords: list[str] = []
        self._sql, self._client = sql, client

    async def make(self, grant: str) -> "Rotated":
        await self._sql.execute(f"CREATE ROLE {self.user} LOGIN IN ROLE {grant}")
        await self.change_database(first := secrets.token_hex(8))
        self.arn = self._client.create_secret(Name=self.user, SecretString=self.text(first))["ARN"]
        return self

    def text(self, password: str) -> str:
        return json.dumps({"username": self.user, "password": password})

    async def change_database(self, password: str) -> None:
        self.passwords.append(password)
        await self._sql.execute(f"ALTER ROLE {self.user} PASSWORD '{password}'")

    def stage(self, password: str, stages: list[str]) -> str:
        return self._client.put_secret_value(
            SecretId=self.arn, SecretString=self.text(password), VersionStages=stages
        )["VersionId"]

    async def cut_connections(self) -> int:
        """End its sessions, as a failover or an idle time-out would; how many there were."""
        rows = await self._sql.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", self.user
        )
        return len(rows)


@pytest.fixture
async def rotated(sql, aws, migrated):
    made = await Rotated(sql, aws).make(migrated["DATABASE_USER"])
    yield made
    await made.cut_connections()
    await sql.execute(f"DROP ROLE {made.user}")


def told(rotated):
    return {"database_secret_arn": rotated.arn, "database_user": "", "database_password": ""}


@pytest.fixture
def events():
    """What the service logs, before any secret is blanked."""
    with structlog.testing.capture_logs() as captured:
        yield captured


async def test_a_rotation_under_load_fails_no_request(events, start, rotated):
    task = await start(**told(rotated), database_pool_max=4, database_acquire_timeout=20)
    statuses, stop = [], asyncio.Event()

    async def client() -> None:
        while not stop.is_set():
            statuses.append((await place(task.http)).status_code)
            statuses.append((await task.http.get(f"{API}/orders?limit=1")).status_code)

    async def some_more() -> None:
        goal = len(statuses) + 40
        async with asyncio.timeout(30):
            while len(statuses) < goal:
                await asyncio.sleep(0.02)

    clients = [asyncio.create_task(client()) for _ in range(4)]
    await some_more()
    for number in range(3):
        password = f"new-{number}-{secrets.token_hex(8)}"
        rotated.stage(password, ["AWSPENDING"])
        await rotated.change_database(password)
        # The secret's current version still holds the old password here.
        assert await rotated.cut_connections() > 0
        await some_more()
        rotated.stage(password, ["AWSCURRENT"])
        await rotated.cut_connections()
        await some_more()
    stop.set()
    await asyncio.gather(*clients)
    assert set(statuses) == {200, 201}, [one for one in events if one["log_level"] == "error"]
    output = " ".join(map(str, events))
    assert "secret_read" in output
    assert not [password for password in rotated.passwords if password in output]


async def test_a_change_outside_a_rotation_is_waited_for(start, rotated):
    """The database was changed, the secret is a moment late: who connects waits for it."""
    task = await start(**told(rotated), database_pool_min=0, database_acquire_timeout=20)
    await rotated.change_database("late-password")
    await rotated.cut_connections()
    waiting = asyncio.create_task(task.http.get(f"{API}/orders"))
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done
    rotated.stage("late-password", ["AWSCURRENT"])
    assert (await waiting).status_code == 200


async def test_a_password_that_nobody_stored_is_a_503_and_mends_itself(start, rotated):
    quick = {"database_connect_timeout": 0.3, "database_acquire_timeout": 5}
    task = await start(**told(rotated), **quick, database_pool_min=0)
    await rotated.change_database("nobody-knows")
    await rotated.cut_connections()
    answer = await place(task.http)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["error"]["code"] == "database_unavailable"
    assert rotated.user not in answer.text
    rotated.stage("nobody-knows", ["AWSCURRENT"])
    assert (await place(task.http)).status_code == 201


async def test_the_schema_is_made_with_the_secret(rotated, migrated):
    await ensure_schema(settings_for(migrated, **told(rotated)))


async def test_a_secret_that_is_not_there_or_not_one_ends_the_start(migrated, aws, rotated):
    absent = rotated.arn.replace(rotated.user, "absent")
    with pytest.raises(DatabaseUnreachable, match="DATABASE_SECRET_ARN"):
        await ensure_schema(settings_for(migrated, database_secret_arn=absent))
    aws.put_secret_value(SecretId=rotated.arn, SecretString="only-a-password")
    with pytest.raises(DatabaseUnreachable, match="no JSON object") as refusal:
        await ensure_schema(settings_for(migrated, **told(rotated)))
    assert "only-a-password" not in str(refusal.value)


async def test_many_that_are_refused_at_once_read_the_secret_once(migrated, rotated):
    reads = []

    async def fetch(stage):
        reads.append(stage)
        return rotated.text(rotated.passwords[-1])

    settings = settings_for(migrated, **told(rotated))
    one = credentials.Credentials(settings, fetch)
    where = settings.database_arguments()
    await (await one.connect(**where)).close()
    await rotated.change_database("the-second")
    for connection in await asyncio.gather(*(one.connect(**where) for _ in range(8))):
        await connection.close()
    assert reads == ["AWSCURRENT", "AWSCURRENT"]


async def test_without_the_secret_a_refusal_stays_one(migrated):
    settings = settings_for({**migrated, "DATABASE_PASSWORD": "wrong"})
    with pytest.raises(asyncpg.InvalidPasswordError):
        await credentials.Credentials(settings).connect(**settings.database_arguments())


def test_a_login_comes_from_one_of_both(environment, monkeypatch):
    for name, value in {**environment, "DATABASE_PASSWORD": "", "DATABASE_USER": ""}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="DATABASE_PASSWORD is not set"):
        load()
    monkeypatch.setenv("DATABASE_SECRET_ARN", "not-an-arn")
    with pytest.raises(ConfigurationError, match="DATABASE_SECRET_ARN=not-an-arn can't be used"):
        load()
    arn = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:rds!db-1"
    monkeypatch.setenv("DATABASE_SECRET_ARN", arn)
    assert load().database_secret_arn == arn
