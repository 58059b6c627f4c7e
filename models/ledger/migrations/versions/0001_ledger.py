"""The ledger's tables, and what each role may do with them."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_BESIDE = Path(__file__).parent


def upgrade() -> None:
    for part in ("0001_tables.sql", "0001_rights.sql"):
        op.get_bind().exec_driver_sql((_BESIDE / part).read_text(encoding="utf-8"))
