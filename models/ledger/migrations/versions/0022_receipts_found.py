"""Only effects with a receipt are found by it: what has none yet is no entry of the index."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "DROP INDEX ix_effects_receipt; CREATE INDEX ix_effects_receipt ON effects (receipt_number)"
        " WHERE receipt_number IS NOT NULL AND channel IN ('push', 'sms')"
    )
