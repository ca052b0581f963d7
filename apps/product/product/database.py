"""PostgreSQL through a pool that never lets a request wait without end."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import stamina

from product import logs
from product.errors import Unavailable
from product.settings import Settings

T = TypeVar("T")

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
    # What asyncpg says of a statement that meets the server's last words on its connection.
    asyncpg.InternalClientError,
    asyncpg.QueryCanceledError,
)


# Tasks that find out together don't leave together.
_LEAVE_SECONDS = 10.0


class DatabaseUnreachable(Exception):
    """The database didn't serve before the deadline, or refused for good; the text says why."""


class Database:
    """A bounded pool. Its failures come out as `Unavailable`, within the set time-outs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool | None = None
        self._leaving = False
        self._log = logs.get(component="database")

    async def open(self) -> None:
        """Fill the pool, waiting for the server until STARTUP_TIMEOUT."""
        settings = self._settings

        async def fill() -> asyncpg.Pool:
            return await asyncpg.create_pool(
                **settings.database_arguments(),
                min_size=settings.database_pool_min,
                max_size=settings.database_pool_max,
                timeout=settings.database_connect_timeout,
                command_timeout=settings.database_command_timeout,
                max_inactive_connection_lifetime=60,
            )

        self._pool = await until_reachable(settings, fill)

    async def close(self) -> None:
        """Give the connections back; cut those that don't end in time."""
        if self._pool is None:
            return
        try:
            await asyncio.wait_for(self._pool.close(), timeout=3)
        except TimeoutError:
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """A connection out of the pool for as short as can be.

        Raises Unavailable("database_busy") when none comes free in time, and
        Unavailable("database_unavailable") when the server doesn't serve.
        """
        pool = self._pool
        if pool is None:
            raise Unavailable("database_unavailable", "The database pool isn't open.")
        try:
            connection = await pool.acquire(timeout=self._settings.database_acquire_timeout)
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            self._leave(error)
            raise self._unavailable(error) from error
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
            yield connection
        except asyncpg.ReadOnlySQLTransactionError as error:
            # After a failover the pool may still hold the demoted primary.
            await pool.expire_connections()
            raise self._unavailable(error) from error
        except _LOST as error:
            raise self._unavailable(error) from error
        finally:
            # A connection that died is replaced by the pool; there is no more to do.
            with contextlib.suppress(*_LOST):
                await pool.release(connection)

    async def row(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        """The first row of `query`, or None."""
        async with self.connection() as connection:
            return await connection.fetchrow(query, *arguments)

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """All rows of `query`."""
        async with self.connection() as connection:
            return await connection.fetch(query, *arguments)

    def _leave(self, error: BaseException) -> None:
        """The password was changed. ECS gives the new one to the task that comes in this one's
        place; until it is there, connections that are open serve on."""
        if not self._leaving:
            self._leaving = True
            self._log.error("login_refused", reason=describe(error))
            wait = random.uniform(0, _LEAVE_SECONDS)  # noqa: S311 - no secret
            asyncio.get_running_loop().call_later(wait, signal.raise_signal, signal.SIGTERM)

    def _unavailable(self, error: BaseException) -> Unavailable:
        self._log.warning("database_unavailable", reason=describe(error))
        return Unavailable("database_unavailable", "The database doesn't serve now. Try again.")


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
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseUnreachable(
            f"PostgreSQL at {where} has no database {settings.database_name!r}. "
            "Create it or set DATABASE_NAME."
        ) from error
    raise AssertionError("retry_context ended without an outcome")


def describe(error: BaseException) -> str:
    """The reason in one line; time-outs carry no text of their own."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
