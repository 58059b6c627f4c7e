"""Evidence: leaves, their places in the tree, and the tree after each round of the sealer."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"

_BESIDE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().exec_driver_sql((_BESIDE / "0007_evidence.sql").read_text(encoding="utf-8"))
