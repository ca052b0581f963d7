"""Runs the migrations on the connection, lock and transaction of `consumer.migrate`."""

from alembic import context

from consumer.schema import SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
