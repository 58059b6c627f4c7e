"""A key for each subject, and whose was destroyed at whose word."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"

_BESIDE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().exec_driver_sql((_BESIDE / "0009_data_keys.sql").read_text(encoding="utf-8"))
