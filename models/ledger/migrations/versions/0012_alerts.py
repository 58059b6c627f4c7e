"""What people were alerted to: each matter once."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"

_BESIDE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().exec_driver_sql((_BESIDE / "0012_alerts.sql").read_text(encoding="utf-8"))
