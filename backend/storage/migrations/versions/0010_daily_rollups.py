"""Rollups of the tenants' own days, filled from those of quarter hours"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SPANS = sa.text(
    """
    SELECT tenants.id, tenants.time_zone, min(bucket), max(bucket)
    FROM tenants JOIN rollups ON rollups.tenant_id = tenants.id GROUP BY 1, 2
    """
)
_FILL = sa.text(
    """
    INSERT INTO daily_rollups
    SELECT tenant_id, span.start_at, application_id, key_id, model, meter, labels,
           sum(quantity), sum(event_count)
    FROM unnest(:starts, :ends) AS span (start_at, end_at)
    JOIN rollups ON tenant_id = :tenant_id AND bucket >= span.start_at AND bucket < span.end_at
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    """
).bindparams(
    sa.bindparam("starts", type_=postgresql.ARRAY(sa.DateTime(timezone=True))),
    sa.bindparam("ends", type_=postgresql.ARRAY(sa.DateTime(timezone=True))),
)


def upgrade() -> None:
    op.create_table(
        "daily_rollups",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column(
            "labels",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("event_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "day",
            "application_id",
            "key_id",
            "model",
            "meter",
            "labels",
            name=op.f("pk_daily_rollups"),
        ),
    )
    connection = op.get_bind()
    for tenant_id, time_zone, first, last in connection.execute(_SPANS).all():
        starts = _day_starts(first, last, ZoneInfo(time_zone))
        connection.execute(
            _FILL, {"tenant_id": tenant_id, "starts": starts[:-1], "ends": starts[1:]}
        )


def downgrade() -> None:
    """Lose nothing: the upgrade fills daily rollups again."""
    op.drop_table("daily_rollups")


def _day_starts(first: datetime, last: datetime, zone: ZoneInfo) -> list[datetime]:
    """Where days begin, as of this revision: a midnight that comes twice is the first of the two.

    From the day before ``first``, which the clocks may show again, to after ``last``.
    """
    day = first.astimezone(zone).date() - timedelta(days=1)
    starts: list[datetime] = []
    while not starts or starts[-1] <= last:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        # Offsets of the far past had odd seconds
        starts.append(midnight - (midnight - _EPOCH) % timedelta(minutes=15))
        day += timedelta(days=1)
    return starts
