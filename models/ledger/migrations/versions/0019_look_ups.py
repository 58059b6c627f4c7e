"""Each look-up of ours points to its leaf; of those made before, and of the platform's own, it is 0."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE credit_checks ADD COLUMN leaf BIGINT DEFAULT 0 NOT NULL")
