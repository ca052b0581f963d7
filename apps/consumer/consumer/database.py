"""PostgreSQL: a small pool, and who is behind a failure: the server, or what was asked of it."""

import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import asyncpg
import stamina

from consumer import logs
from consumer.settings import Settings

T = TypeVar("T")

# What a server says, or fails to say, while it starts, fails over, is full or two block each other.
TRANSIENT = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.InterfaceError,
    # What asyncpg says of a statement that meets the server's last words on its connection.
    asyncpg.InternalClientError,
)


class LoginRefused(OSError):
    """The database took this login once and takes it no longer: nothing is wrong with the data."""


class DatabaseUnreachable(Exception):
    """The database didn't serve before the deadline, or refused for good; the text says why."""


class Database:
    """A bounded pool whose transactions end with the lease, should their worker freeze."""

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
                min_size=1,
                max_size=settings.database_pool_max,
                timeout=settings.database_connect_timeout,
                command_timeout=settings.database_command_timeout,
                server_settings={
                    "application_name": f"consumer {settings.worker_id}"[:63],
                    # A frozen worker's open transaction would keep its successor waiting for ever.
                    "idle_in_transaction_session_timeout": str(int(settings.lease_seconds * 1000)),
                },
            )

        self._pool = await until_reachable(settings, fill)

    async def close(self) -> None:
        """Cut the connections: whatever was not committed is done again."""
        if self._pool is not None:
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """A connection in a transaction that commits at the end, or raises what went wrong."""
        assert self._pool is not None, "open() comes first"  # noqa: S101
        try:
            connection = await self._pool.acquire(timeout=self._settings.database_command_timeout)
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            # The password was changed: ECS gives the new one to the task that comes in this one's
            # place, and another worker has the shards meanwhile.
            if not self._leaving:
                self._leaving = True
                self._log.error("login_refused", reason=describe(error))
                signal.raise_signal(signal.SIGTERM)
            raise LoginRefused(str(error)) from error
        try:
            async with connection.transaction():
                yield connection
        except asyncpg.ReadOnlySQLTransactionError:
            # After a failover the pool may still hold the demoted primary.
            await self._pool.expire_connections()
            raise
        finally:
            # A connection that died is replaced by the pool; there is no more to do.
            with contextlib.suppress(*TRANSIENT):
                await self._pool.release(connection)


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
