"""Calls to a limited target leave one after another, whoever makes them."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "CREATE TABLE call_slots (target VARCHAR NOT NULL, next_at TIMESTAMP WITH TIME ZONE NOT NULL,"
        " CONSTRAINT pk_call_slots PRIMARY KEY (target));"
        " GRANT SELECT ON call_slots TO shenguan_app, shenguan_audit;"
        " GRANT INSERT, UPDATE ON call_slots TO shenguan_app"
    )
