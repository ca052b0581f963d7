"""What the Shop sells from the first day."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO product.products (sku, name, description, price, currency, stock) VALUES
            ('brass-compass', 'Brass compass',
             'Liquid-damped, with a lid. Points north, also on a steel deck.', 48.00, 'EUR', 25),
            ('canvas-bag', 'Canvas sea bag',
             'Forty litres of waxed canvas with a rope through brass eyes.', 79.50, 'EUR', 12),
            ('deck-lamp', 'Deck lamp',
             'A storm lamp for candles or paraffin. Burns in any wind.', 34.90, 'EUR', 40),
            ('marlin-spike', 'Marlin spike',
             'Steel, for splices in rope up to 16 mm.', 17.25, 'EUR', 60),
            ('oilskin-coat', 'Oilskin coat',
             'Taped seams, a storm collar, and pockets that close.', 189.00, 'EUR', 8),
            ('signal-flags', 'Signal flags',
             'All forty of the international code, sewn, in a roll.', 124.00, 'EUR', 0)
        ON CONFLICT (sku) DO NOTHING
        """
    )
