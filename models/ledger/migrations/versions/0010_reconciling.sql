-- How far our account and the receivers' agree, and what others owe the credit system.

CREATE TABLE reconciled_days (
    system VARCHAR NOT NULL,
    day DATE NOT NULL,
    kind VARCHAR NOT NULL,
    department VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    ours INTEGER NOT NULL,
    theirs INTEGER NOT NULL,
    agreed INTEGER NOT NULL,
    adopted INTEGER NOT NULL,
    sent_again INTEGER NOT NULL,
    unexplained INTEGER NOT NULL,
    checked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_reconciled_days PRIMARY KEY (system, day, kind, department, stage)
);

CREATE TABLE expected_arrivals (
    id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    document_number VARCHAR NOT NULL,
    reporter VARCHAR NOT NULL,
    department VARCHAR NOT NULL,
    case_id UUID NOT NULL,
    due_on DATE NOT NULL,
    state VARCHAR NOT NULL,
    arrived_at TIMESTAMP WITH TIME ZONE,
    checked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_expected_arrivals PRIMARY KEY (id),
    CONSTRAINT ck_expected_arrivals_kind_known CHECK (kind IN ('XK', 'CF')),
    CONSTRAINT ck_expected_arrivals_reporter_known CHECK (reporter IN ('platform', 'department')),
    CONSTRAINT ck_expected_arrivals_state_known CHECK (state IN ('waiting', 'arrived', 'missing', 'withdrawn'))
);
CREATE INDEX ix_expected_arrivals_due ON expected_arrivals (due_on) WHERE state IN ('missing', 'waiting');

-- Two more things a name is asked for: that a journal is gone, and that a new host may send.
ALTER TABLE operator_acts DROP CONSTRAINT ck_operator_acts_act_known;
ALTER TABLE operator_acts ADD CONSTRAINT ck_operator_acts_act_known CHECK (act IN ('rerun', 'rerun_failed', 'release_ask', 'release_confirm', 'decide', 'quarantine_release', 'evidence_forget', 'operator_add', 'operator_disable', 'evidence_open', 'journal_lost', 'journal_begin'));

GRANT SELECT ON reconciled_days, expected_arrivals TO shenguan_app, shenguan_audit;
GRANT INSERT, UPDATE ON reconciled_days, expected_arrivals TO shenguan_app;
