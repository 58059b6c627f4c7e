-- What tells a ledger that was restored from one that was not. See models/ledger/tables/guard.py.

CREATE TABLE sender_guard (
    id INTEGER NOT NULL,
    installation UUID NOT NULL,
    mark BIGINT NOT NULL,
    CONSTRAINT pk_sender_guard PRIMARY KEY (id),
    CONSTRAINT ck_sender_guard_one_row CHECK (id = 1)
);

CREATE TABLE sender_journals (
    journal UUID NOT NULL,
    host VARCHAR NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    merged_lock UUID,
    lost BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_sender_journals PRIMARY KEY (journal)
);

CREATE TABLE sender_locks (
    id UUID NOT NULL,
    cause VARCHAR NOT NULL,
    host VARCHAR NOT NULL,
    journal_mark BIGINT NOT NULL,
    ledger_mark BIGINT NOT NULL,
    since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE,
    opened_by VARCHAR,
    CONSTRAINT pk_sender_locks PRIMARY KEY (id),
    CONSTRAINT ck_sender_locks_cause_known CHECK (cause IN ('ledger_older', 'journal_missing', 'asked')),
    CONSTRAINT ck_sender_locks_opened_at_with_opened_by CHECK ((opened_at IS NULL) = (opened_by IS NULL))
);
CREATE UNIQUE INDEX uq_sender_locks_open ON sender_locks ((opened_at IS NULL)) WHERE opened_at IS NULL;

CREATE TABLE told_before (
    push_own_id VARCHAR(32) NOT NULL,
    sms_own_id VARCHAR(32) NOT NULL,
    liaison VARCHAR,
    CONSTRAINT pk_told_before PRIMARY KEY (push_own_id)
);

GRANT SELECT ON sender_guard, sender_journals, sender_locks, told_before TO shenguan_app, shenguan_audit;
GRANT INSERT, UPDATE ON sender_guard, sender_journals, sender_locks, told_before TO shenguan_app;
