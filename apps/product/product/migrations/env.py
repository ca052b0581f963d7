"""Runs the migrations on the connection, lock and transaction of `product.migrate`."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table_schema="product"
)
with context.begin_transaction():
    context.run_migrations()
