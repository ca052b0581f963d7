"""Events applied, what they did, what was refused, and who may write for a shard."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    # The unique id is what makes an event's effect happen once. `place` tells the order of effects.
    op.execute(
        """
        CREATE TABLE events.applied (
            id          text PRIMARY KEY,
            place       bigint GENERATED ALWAYS AS IDENTITY,
            key         text NOT NULL,
            type        text NOT NULL,
            slot        bigint NOT NULL,
            shard       text NOT NULL,
            sequence    text NOT NULL,
            applied_at  timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE events.accounts (
            key             text PRIMARY KEY,
            events          bigint NOT NULL,
            failed          bigint NOT NULL,
            compute_units   numeric NOT NULL,
            last_slot       bigint NOT NULL,
            last_event      text NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE events.rejected (
            shard        text NOT NULL,
            sequence     text NOT NULL,
            reason       text NOT NULL,
            attempts     integer NOT NULL,
            rejected_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
            redriven_at  timestamptz,
            PRIMARY KEY (shard, sequence)
        )
        """
    )
    # The newest lease of each shard: a worker with an older one may not write.
    op.execute("CREATE TABLE events.fences (shard text PRIMARY KEY, fence bigint NOT NULL)")
