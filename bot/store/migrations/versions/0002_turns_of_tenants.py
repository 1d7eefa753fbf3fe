"""Lanes that wait are found by tenant: tenants take turns in the claim."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WAITS = sa.text("node IS NULL AND wake_at IS NOT NULL")


def upgrade() -> None:
    _index("tenant", "wake_at")


def downgrade() -> None:
    _index("wake_at")


def _index(*columns: str) -> None:
    # Code of the former version works with it as well, by walking over more lanes.
    op.drop_index("ix_lane_due", "lane")
    op.create_index(
        "ix_lane_due",
        "lane",
        list(columns),
        unique=False,
        sqlite_where=_WAITS,
        postgresql_where=_WAITS,
    )
