"""One more thing a name is asked for: that the log of evidence goes on after a restore."""

from alembic import op

revision = "0024"
down_revision = "0023"

_ACTS = (
    "rerun", "rerun_failed", "release_ask", "release_confirm", "decide", "quarantine_release",
    "evidence_forget", "operator_add", "operator_disable", "evidence_open",
    "journal_lost", "journal_begin", "operator_unlock", "evidence_resume",
)  # fmt: skip


def upgrade() -> None:
    named = ", ".join(f"'{act}'" for act in _ACTS)
    op.get_bind().exec_driver_sql(
        "ALTER TABLE operator_acts DROP CONSTRAINT ck_operator_acts_act_known;"
        f" ALTER TABLE operator_acts ADD CONSTRAINT ck_operator_acts_act_known CHECK (act IN ({named}))"
    )
