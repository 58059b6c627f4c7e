"""A business's other versions are found by eight bytes of its key; each goes once, as its own id says."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "CREATE INDEX ix_effects_key ON effects ((hashtextextended(business_key, 0)), content_version);"
        " DROP INDEX uq_effects_version"
    )
