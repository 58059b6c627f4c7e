"""A day's account is found by its day: effects by that of a believable receipt, texts by their own."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "CREATE INDEX ix_effects_stored_on ON effects"
        " ((((CASE WHEN receipt_at - answered_business"
        " BETWEEN '-744:00:00'::interval AND '48:00:00'::interval"
        " THEN receipt_at ELSE answered_business END) AT TIME ZONE 'Asia/Shanghai')::date))"
        " WHERE state = 'accepted';"
        " CREATE INDEX ix_sms_texts_day ON sms_texts (business_day)"
    )
