"""Who this task is to the database, also after the password was changed.

With DATABASE_SECRET_ARN the secret itself is read with the task's role: at start, and when
the server refuses what it said. Connections that are open outlive a change of password; only
new ones need the new one. Without it, user and password are those of the environment, which
ECS sets at start and never again.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import quote

import asyncpg

from trading_api import logs
from trading_api.settings import Settings

_PAUSE_SECONDS = 0.2
# A rotation first changes the database's password, then marks the secret's new version as
# current: between both only the pending one opens the door.
_STAGES = ("AWSCURRENT", "AWSPENDING")


class Login(NamedTuple):
    """User and password."""

    user: str
    password: str


class Credentials:
    """Opens connections. `fetch(stage)` is the secret's text at that stage, or None."""

    def __init__(
        self, settings: Settings, fetch: Callable[[str], Awaitable[str | None]] | None = None
    ) -> None:
        self._settings = settings
        self._log = logs.get(component="credentials")
        self._lock = asyncio.Lock()
        self._login: Login | None = None
        self._fetch = fetch
        if not settings.database_secret_arn:
            self._fetch = None
            self._login = Login(
                settings.database_user, settings.database_password.get_secret_value()
            )
        elif fetch is None:
            self._fetch = _from_secrets_manager(settings.database_secret_arn)

    async def connect(self, *args: Any, **kwargs: Any) -> asyncpg.Connection:
        """`asyncpg.connect` with the login; raises what it raises, once no other login is left."""
        login = self._login or await self._renew(None)
        while True:
            try:
                return await asyncpg.connect(
                    *args, **{**kwargs, "user": login.user, "password": login.password}
                )
            except asyncpg.InvalidAuthorizationSpecificationError:
                if self._fetch is None:
                    raise
                login = await self._renew(login)
                if login is None:
                    raise

    async def _renew(self, refused: Login | None) -> Login | None:
        """Another login than the one refused, waiting for it a little; None if there is none."""
        async with self._lock:
            if self._login is not None and self._login != refused:
                return self._login  # Someone else has found it meanwhile.
            deadline = asyncio.get_running_loop().time() + self._settings.database_connect_timeout
            while True:
                for stage in _STAGES:
                    found = self._read(await self._fetch(stage))
                    if found is not None and found != refused:
                        self._log.info("secret_read", stage=stage, user=found.user)
                        self._login = found
                        return found
                if asyncio.get_running_loop().time() >= deadline:
                    return None
                await asyncio.sleep(_PAUSE_SECONDS)

    def _read(self, text: str | None) -> Login | None:
        if text is None:
            return None
        try:
            value = json.loads(text)
            found = Login(value["username"], value["password"])
        except (ValueError, KeyError, TypeError) as error:
            # Without the text: it may be a password that lacks the braces.
            raise SecretUnreadable("it is no JSON object with username and password") from error
        logs.hide(found.password, quote(found.password, safe=""))
        return found


class SecretUnreadable(Exception):
    """The secret can't be read, or isn't what a database's secret is."""


def _from_secrets_manager(arn: str) -> Callable[[str], Awaitable[str | None]]:
    # Here, since only this needs it: half a second and 20 MB of a start.
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "secretsmanager",
        region_name=arn.split(":")[3],
        config=Config(connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 3}),
    )

    def read(stage: str) -> str | None:
        try:
            return client.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]
        except client.exceptions.ResourceNotFoundException:
            if stage != _STAGES[0]:
                return None
            raise SecretUnreadable(f"there is no {arn}") from None
        except (BotoCoreError, ClientError) as error:
            raise SecretUnreadable(str(error)) from error

    async def fetch(stage: str) -> str | None:
        return await asyncio.to_thread(read, stage)

    return fetch
