"""The schema: made once however many tasks start, and never an obstacle to a roll-back."""

import asyncio

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from conftest import settings_for

from trading_api import schema
from trading_api.database import DatabaseUnreachable
from trading_api.migrate import migrate


async def test_four_starters_at_once_migrate_once(empty_database, process):
    starters = [process(empty_database, "migrate", measured=False) for _ in range(4)]
    for starter in starters:
        await starter.begin()
    ends = await asyncio.gather(*(starter.ended(60) for starter in starters))
    assert [code for code, _ in ends] == [0] * 4, ends
    assert sum('"before": null' in output for _, output in ends) == 1, ends

    connection = await asyncpg.connect(**settings_for(empty_database).database_arguments())
    assert await connection.fetch("SELECT version_num FROM alembic_version") == [(schema.newest(),)]
    assert await connection.fetchval("SELECT count(*) FROM instruments") == 3
    await connection.close()


async def test_a_waiting_starter_goes_on_when_the_first_one_dies(empty_database):
    settings = settings_for(empty_database)
    first = await asyncpg.connect(**settings.database_arguments())
    await first.execute("BEGIN")
    await first.execute("SELECT pg_advisory_xact_lock(7246110382)")
    second = asyncio.create_task(migrate(settings))
    await asyncio.sleep(0.5)
    assert not second.done()
    first.terminate()
    await asyncio.wait_for(second, 10)


async def test_a_lock_that_is_never_freed_ends_the_start(empty_database):
    settings = settings_for(empty_database, startup_timeout=1)
    holder = await asyncpg.connect(**settings.database_arguments())
    await holder.execute("BEGIN")
    await holder.execute("SELECT pg_advisory_xact_lock(7246110382)")
    with pytest.raises(DatabaseUnreachable, match="another session held a lock"):
        await migrate(settings)
    await holder.close()


async def test_an_older_image_starts_on_a_newer_schema(empty_database, process):
    await migrate(settings_for(empty_database))
    connection = await asyncpg.connect(**settings_for(empty_database).database_arguments())
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    code, output = await process(empty_database, "migrate", measured=False).begin_and_end()
    assert code == 0
    assert "schema_newer_than_image" in output
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "9999"
    await connection.close()


def test_file_names_tell_the_newest_revision():
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert schema.newest() == ScriptDirectory.from_config(config).get_current_head()
