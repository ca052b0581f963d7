"""Orders that change (a version per change) and the fills of which positions are made.

The revision before needs nothing of it: it writes orders of version 1 that have no fills.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE orders
            ADD COLUMN version integer NOT NULL DEFAULT 1,
            ADD COLUMN filled numeric(20, 8) NOT NULL DEFAULT 0
                CHECK (filled >= 0 AND filled <= quantity)
        """
    )
    # Lists go from the newest back; id tells apart what came in the same microsecond.
    op.execute("CREATE INDEX orders_in_time ON orders (created_at DESC, id DESC)")
    op.execute(
        """
        CREATE TABLE fills (
            order_id    uuid NOT NULL REFERENCES orders,
            id          text NOT NULL CHECK (length(id) <= 64),
            symbol      text NOT NULL REFERENCES instruments,
            side        text NOT NULL CHECK (side IN ('buy', 'sell')),
            quantity    numeric(20, 8) NOT NULL CHECK (quantity > 0),
            price       numeric(20, 8) NOT NULL CHECK (price > 0),
            filled_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (order_id, id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX fills_of_instrument ON fills (symbol, filled_at DESC)
            INCLUDE (side, quantity, price)
        """
    )
