"""Products and reservations."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE product.products (
            sku         text PRIMARY KEY CHECK (sku ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
            name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
            description text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
            price       numeric(12, 2) NOT NULL CHECK (price > 0),
            currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
            stock       integer NOT NULL CHECK (stock >= 0),
            version     bigint NOT NULL DEFAULT 1,
            created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
            updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE product.reservations (
            id              uuid PRIMARY KEY,
            idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) <= 128),
            sku             text NOT NULL REFERENCES product.products,
            quantity        integer NOT NULL CHECK (quantity > 0),
            unit_price      numeric(12, 2) NOT NULL,
            currency        text NOT NULL,
            state           text NOT NULL DEFAULT 'held'
                            CHECK (state IN ('held', 'confirmed', 'released', 'expired')),
            expires_at      timestamptz NOT NULL,
            created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    op.execute(
        """
        CREATE INDEX reservations_held ON product.reservations (sku, expires_at)
            WHERE state = 'held'
        """
    )
