-- Wrong codes are counted where they are written down, apart for each door: whoever knows Prefect's shared
-- login delays nobody at the host. Names that nobody has are written down too.
ALTER TABLE operators DROP COLUMN wrong_codes;
ALTER TABLE operators DROP COLUMN locked_until;

ALTER TABLE operator_acts ADD COLUMN door VARCHAR DEFAULT 'host' NOT NULL;
ALTER TABLE operator_acts ALTER COLUMN operator_id DROP NOT NULL;
ALTER TABLE operator_acts DROP CONSTRAINT ck_operator_acts_act_known;
ALTER TABLE operator_acts ADD CONSTRAINT ck_operator_acts_act_known CHECK (act IN ('rerun', 'rerun_failed', 'release_ask', 'release_confirm', 'decide', 'quarantine_release', 'evidence_forget', 'operator_add', 'operator_disable', 'evidence_open', 'journal_lost', 'journal_begin', 'operator_unlock'));
ALTER TABLE operator_acts DROP CONSTRAINT ck_operator_acts_outcome_known;
ALTER TABLE operator_acts ADD CONSTRAINT ck_operator_acts_outcome_known CHECK (outcome IN ('proved', 'wrong_code', 'used_code', 'locked', 'done', 'expired', 'unknown_name'));
ALTER TABLE operator_acts ADD CONSTRAINT ck_operator_acts_door_known CHECK (door IN ('host', 'prefect'));
ALTER TABLE operator_acts ADD CONSTRAINT ck_operator_acts_nobodys_name CHECK ((operator_id IS NULL) = (outcome = 'unknown_name'));
CREATE INDEX ix_operator_acts_of ON operator_acts (operator_id, id);
