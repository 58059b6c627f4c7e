"""A phone's texts and a case's number are found by an index, however many there are."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "CREATE INDEX ix_sms_texts_phone ON sms_texts (phone_index, business_day, planned_business);"
        " DROP INDEX uq_cases_number;"
        " CREATE UNIQUE INDEX uq_cases_number ON cases (case_no, source)"
    )
