"""What is due is found without walking what waits: recalls, and news by section."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "CREATE INDEX ix_handovers_recall_due ON handovers (id)"
        " WHERE state = 'recalled' AND reason = 'recall_due';"
        " DROP INDEX ix_sms_news_waiting;"
        " CREATE INDEX ix_sms_news_waiting ON sms_news (section_id, urgent) WHERE state <> 'folded'"
    )
