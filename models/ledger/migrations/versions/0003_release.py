"""A release takes two people, and one of them asked."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

_BESIDE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().exec_driver_sql((_BESIDE / "0003_release.sql").read_text(encoding="utf-8"))
