"""Is the schema what this image needs? Asked at each start, so it costs next to nothing.

Only a task that finds work to do loads Alembic and SQLAlchemy: half the time and
a third of the memory of a start.
"""

from pathlib import Path

import asyncpg

from trading_api import logs
from trading_api.credentials import Credentials
from trading_api.database import until_reachable
from trading_api.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


def newest() -> str:
    """The last migration of this image: files are named `<revision>_<what>.py`, in order."""
    return max(path.name.split("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


async def ensure_schema(settings: Settings) -> None:
    """Return once the schema is at least as new as this image.

    Raises DatabaseUnreachable when the database can't be had.
    """

    credentials = Credentials(settings)

    async def current() -> str | None:
        connection = await credentials.connect(
            **settings.database_arguments(),
            timeout=settings.database_connect_timeout,
            command_timeout=settings.database_command_timeout,
        )
        try:
            return await connection.fetchval("SELECT version_num FROM alembic_version")
        except asyncpg.UndefinedTableError:
            return None
        finally:
            await connection.close(timeout=settings.database_connect_timeout)

    found = await until_reachable(settings, current)
    if found == newest():
        logs.get(component="migrate").info("schema_ready", before=found, schema=found)
        return

    from trading_api.migrate import migrate

    await migrate(settings)
