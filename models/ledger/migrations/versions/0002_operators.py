"""Operators with one-time codes, and every use of a name."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

_BESIDE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().exec_driver_sql((_BESIDE / "0002_operators.sql").read_text(encoding="utf-8"))
