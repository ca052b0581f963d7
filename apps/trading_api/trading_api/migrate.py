"""Brings the schema to what this image needs, before it serves.

Tasks that start together take turns on an advisory lock; whoever comes second
finds nothing left to do. Lock, migrations and version mark share one
transaction: a task that dies halfway leaves the schema as it was.
"""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from trading_api import logs
from trading_api.credentials import Credentials
from trading_api.database import until_reachable
from trading_api.schema import MIGRATIONS
from trading_api.settings import Settings

# Any number will do, as long as nothing else in this database uses it.
_LOCK = 7_246_110_382
_LOG = logs.get(component="migrate")


async def migrate(settings: Settings) -> None:
    """Upgrade to the newest revision that this image knows.

    A schema from a newer image is left alone: a roll-back must be able to start,
    and migrations keep what the revision before them needs.

    Raises DatabaseUnreachable when the database can't be had.
    """
    credentials = Credentials(settings)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: credentials.connect(
            **settings.database_arguments(), timeout=settings.database_connect_timeout
        ),
        poolclass=NullPool,
    )

    async def attempt() -> None:
        try:
            async with engine.begin() as connection:
                await connection.execute(
                    text("SELECT set_config('lock_timeout', :wait, true)"),
                    {"wait": f"{int(settings.startup_timeout * 1000)}ms"},
                )
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK}
                )
                # A migration that queues for a table makes every reader queue behind it.
                await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
                await connection.run_sync(_upgrade)
        except DBAPIError as error:
            # Under SQLAlchemy's wrapping lies the error that tells whether to try again.
            driver = getattr(error.orig, "__cause__", None)
            raise (driver or error) from error

    try:
        await until_reachable(settings, attempt)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    before = MigrationContext.configure(connection).get_current_revision()
    if before is not None and not _known(scripts, before):
        _LOG.warning("schema_newer_than_image", schema=before, image=scripts.get_current_head())
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _LOG.info("schema_ready", before=before, schema=scripts.get_current_head())


def _known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False
