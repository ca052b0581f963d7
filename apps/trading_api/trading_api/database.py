"""PostgreSQL through pools that never let a request wait without end."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import asyncpg
import stamina

from trading_api import logs
from trading_api.credentials import Credentials, SecretUnreadable
from trading_api.errors import Unavailable
from trading_api.metrics import Counters
from trading_api.settings import Settings

T = TypeVar("T")
Connection = asyncpg.pool.PoolConnectionProxy

# What a server says, or fails to say, while it starts, fails over or is full.
TRANSIENT = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.LockNotAvailableError,
)
_LOST = (
    *TRANSIENT,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.QueryCanceledError,
    asyncpg.InvalidAuthorizationSpecificationError,
    SecretUnreadable,
)
# A connection that had died unnoticed; another one may well serve.
_DIED = (
    ConnectionError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
)
_READER_PAUSE_SECONDS = 5.0


class DatabaseUnreachable(Exception):
    """The database didn't serve before the deadline, or refused for good; the text says why."""


class Queries(Protocol):
    """Who answers a query: the primary, or a replica."""

    async def row(self, query: str, *arguments: Any) -> asyncpg.Record | None: ...

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]: ...


class RetryBudget:
    """Second tries in proportion to first ones, so that they don't add to an outage."""

    def __init__(self, share: float = 0.1, most: float = 10.0) -> None:
        self._share, self._most, self._left = share, most, most

    def earn(self) -> None:
        """Note a first try."""
        self._left = min(self._left + self._share, self._most)

    def spend(self) -> bool:
        """Whether a second try is allowed; notes it."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Database:
    """A bounded pool. Its failures come out as `Unavailable`, within the set time-outs.

    Work that failed because its connection had died is tried once more, within a budget: all
    statements of this service may be sent twice. `reader` is the replica, if there is one.
    """

    def __init__(
        self, settings: Settings, counters: Counters, credentials: Credentials, host: str = ""
    ) -> None:
        self._settings = settings
        self._counters = counters
        self._credentials = credentials
        self._host = host or settings.database_host
        self._pool: asyncpg.Pool | None = None
        self._budget = RetryBudget()
        self._log = logs.get(component="database")
        self.reader: Queries = self
        if settings.database_read_host and not host:
            replica = Database(settings, counters, credentials, settings.database_read_host)
            self.reader = Reader(replica, self)

    async def open(self) -> None:
        """Fill the pool, waiting for the server until STARTUP_TIMEOUT."""
        self._pool = await until_reachable(self._settings, self._fill)
        if isinstance(self.reader, Reader):
            await self.reader.open()

    async def _fill(self, least: int | None = None) -> asyncpg.Pool:
        settings = self._settings

        async def leave_as_it_is(_connection: asyncpg.Connection) -> None:
            """No statement here leaves anything in its session, so nothing need be undone."""

        return await asyncpg.create_pool(
            **{**settings.database_arguments(), "host": self._host},
            connect=self._credentials.connect,
            reset=leave_as_it_is,
            min_size=settings.database_pool_min if least is None else least,
            max_size=settings.database_pool_max,
            timeout=settings.database_connect_timeout,
            command_timeout=settings.database_command_timeout,
            max_inactive_connection_lifetime=60,
        )

    async def open_later(self) -> None:
        """Make the pool without connecting yet."""
        self._pool = await self._fill(least=0)

    async def close(self) -> None:
        """Give the connections back; cut those that don't end in time."""
        if isinstance(self.reader, Reader):
            await self.reader.close()
        if self._pool is None:
            return
        try:
            await asyncio.wait_for(self._pool.close(), timeout=3)
        except TimeoutError:
            self._pool.terminate()

    async def _with_connection(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """What `act` returns of a connection, which it has for as short as can be.

        Raises Unavailable("database_busy") when none comes free in time, and
        Unavailable("database_unavailable") when the server doesn't serve.
        """
        pool = self._pool
        if pool is None:
            raise Unavailable("database_unavailable", "The database pool isn't open.")
        try:
            async with asyncio.timeout(self._settings.database_acquire_timeout):
                connection = await pool.acquire()
        except _LOST as error:
            if isinstance(error, TimeoutError) and pool.get_size() >= pool.get_max_size():
                self._log.warning("database_busy", connections=pool.get_size())
                raise Unavailable(
                    "database_busy",
                    f"All {pool.get_max_size()} database connections of this task stayed busy for "
                    f"{self._settings.database_acquire_timeout:g} s. Try again.",
                ) from error
            raise self._unavailable(error) from error
        try:
            return await act(connection)
        except asyncpg.ReadOnlySQLTransactionError as error:
            # After a failover the pool may still hold the demoted primary.
            await pool.expire_connections()
            raise self._unavailable(error) from error
        except _LOST as error:
            # It may be dying and not know yet: nobody else must get it.
            with contextlib.suppress(*_LOST):
                connection.terminate()
            raise self._unavailable(error) from error
        finally:
            # A connection that died is replaced by the pool; there is no more to do.
            with contextlib.suppress(*_LOST):
                await pool.release(connection)

    async def row(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        """The first row of `query`, or None."""
        return await self._work(lambda connection: connection.fetchrow(query, *arguments))

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """All rows of `query`."""
        return await self._work(lambda connection: connection.fetch(query, *arguments))

    async def transaction(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """What `act` returns, in one transaction. It may be called twice."""

        async def whole(connection: Connection) -> T:
            async with connection.transaction():
                return await act(connection)

        return await self._work(whole)

    async def _work(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        self._budget.earn()
        try:
            return await self._with_connection(act)
        except Unavailable as error:
            if not error.at_once or not self._budget.spend():
                raise
        self._counters.retries += 1
        # What cuts one connection cuts many: new ones are made, and not all ask at once.
        if self._pool is not None:
            await self._pool.expire_connections()
        await asyncio.sleep(random.uniform(0.02, 0.1))  # noqa: S311 - no secret
        return await self._with_connection(act)

    def _unavailable(self, error: BaseException) -> Unavailable:
        self._log.warning("database_unavailable", reason=describe(error))
        return Unavailable(
            "database_unavailable",
            "The database doesn't serve now. Try again.",
            at_once=isinstance(error, _DIED),
        )


class Reader:
    """A replica, with the primary for when it is away. What it tells may be a moment old."""

    def __init__(self, replica: Database, primary: Database) -> None:
        self._replica = replica
        self._primary = primary
        self._log = logs.get(component="database")
        self._away_until = 0.0

    async def open(self) -> None:
        """A replica that is away is no reason not to start."""
        await self._replica.open_later()

    async def close(self) -> None:
        """Give its connections back."""
        await self._replica.close()

    async def row(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        """As Database's."""
        return await self._ask(lambda server: server.row(query, *arguments))

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """As Database's."""
        return await self._ask(lambda server: server.rows(query, *arguments))

    async def _ask(self, act: Callable[[Database], Awaitable[T]]) -> T:
        now = asyncio.get_running_loop().time
        if now() >= self._away_until:
            try:
                return await act(self._replica)
            except Unavailable as error:
                self._away_until = now() + _READER_PAUSE_SECONDS
                self._log.warning("replica_away", reason=error.code)
        return await act(self._primary)


async def until_reachable(settings: Settings, act: Callable[[], Awaitable[T]]) -> T:
    """Try `act` until it succeeds or STARTUP_TIMEOUT is over.

    Raises DatabaseUnreachable at the deadline, and at once when the server
    refuses the user or the database, which no waiting mends.
    """
    where = f"{settings.database_host}:{settings.database_port}"
    try:
        async for attempt in stamina.retry_context(
            on=TRANSIENT,
            attempts=None,
            timeout=settings.startup_timeout,
            wait_initial=0.2,
            wait_max=3.0,
        ):
            with attempt:
                return await act()
    except asyncpg.LockNotAvailableError as error:
        raise DatabaseUnreachable(
            f"The migration at {where} can't begin: another session held a lock for "
            f"{settings.startup_timeout:g} s. Find it in pg_stat_activity; it may be another "
            "task's migration that is stuck."
        ) from error
    except TRANSIENT as error:
        raise DatabaseUnreachable(
            f"PostgreSQL at {where} didn't serve within {settings.startup_timeout:g} s: "
            f"{describe(error)}. Check DATABASE_HOST and DATABASE_PORT, and that its security "
            "group lets this task in."
        ) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseUnreachable(
            f"PostgreSQL at {where} refused user {settings.database_user!r}: {error}. Check "
            "DATABASE_USER, DATABASE_PASSWORD and DATABASE_SSL."
        ) from error
    except SecretUnreadable as error:
        raise DatabaseUnreachable(
            f"The secret {settings.database_secret_arn} can't be used: {error}. Check "
            "DATABASE_SECRET_ARN, and that the task's role may read it."
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseUnreachable(
            f"PostgreSQL at {where} has no database {settings.database_name!r}. "
            "Create it or set DATABASE_NAME."
        ) from error
    raise AssertionError("retry_context ended without an outcome")


def describe(error: BaseException) -> str:
    """The reason in one line; time-outs carry no text of their own."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
