"""A case's history is found by its case alone: its lines share one entry of the index, and are few."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "DROP INDEX ix_history_case; CREATE INDEX ix_history_case ON history (case_id)"
    )
