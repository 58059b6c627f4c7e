"""The longer second reading goes back over two of its kind, so that a late record is found by the second."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "ALTER TABLE watermarks ADD COLUMN trailing_next VARCHAR;"
        " UPDATE watermarks SET trailing_next = previous_cursor"
    )
