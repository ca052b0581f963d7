"""The instruments that are traded from the first day."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO instruments (symbol, name, tick_size, lot_size) VALUES
            ('BTC-USD', 'Bitcoin', 0.01, 0.00001),
            ('ETH-USD', 'Ether', 0.01, 0.0001),
            ('SOL-USD', 'Solana', 0.01, 0.001)
        ON CONFLICT (symbol) DO NOTHING
        """
    )
