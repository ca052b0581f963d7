-- Up Migration
CREATE TABLE shop_order.orders (
    id              uuid PRIMARY KEY,
    number          bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) UNIQUE,
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) <= 128),
    request_hash    bytea NOT NULL,
    sku             text NOT NULL,
    quantity        integer NOT NULL CHECK (quantity > 0),
    card_last4      text NOT NULL CHECK (card_last4 ~ '^[0-9]{4}$'),
    state           text NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'reserved', 'paid', 'declined', 'rejected')),
    reason          text,
    reservation_id  uuid,
    unit_price      numeric(12, 2),
    currency        text,
    amount          numeric(14, 2) GENERATED ALWAYS AS (unit_price * quantity) STORED,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX orders_under_way ON shop_order.orders (updated_at) WHERE state IN ('pending', 'reserved');

-- What the simulated payment provider keeps: one outcome per order, whoever asks how often.
CREATE TABLE shop_order.payments (
    order_id    uuid PRIMARY KEY REFERENCES shop_order.orders,
    amount      numeric(14, 2) NOT NULL,
    currency    text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('approved', 'declined', 'refunded')),
    reason      text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
