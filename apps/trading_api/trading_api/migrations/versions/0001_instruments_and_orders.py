"""Instruments and orders."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE instruments (
            symbol      text PRIMARY KEY CHECK (symbol ~ '^[A-Z0-9]{2,12}-[A-Z0-9]{2,12}$'),
            name        text NOT NULL,
            tick_size   numeric(20, 8) NOT NULL CHECK (tick_size > 0),
            lot_size    numeric(20, 8) NOT NULL CHECK (lot_size > 0),
            status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'halted'))
        )
        """
    )
    op.execute(
        """
        CREATE TABLE orders (
            id              uuid PRIMARY KEY,
            idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) <= 128),
            request_hash    bytea NOT NULL,
            symbol          text NOT NULL REFERENCES instruments,
            side            text NOT NULL CHECK (side IN ('buy', 'sell')),
            quantity        numeric(20, 8) NOT NULL CHECK (quantity > 0),
            price           numeric(20, 8) NOT NULL CHECK (price > 0),
            status          text NOT NULL DEFAULT 'accepted',
            created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    op.execute(
        """
        CREATE INDEX orders_of_instrument ON orders (symbol, created_at DESC)
            INCLUDE (price, quantity)
        """
    )
