CREATE TABLE operators (
    id UUID NOT NULL,
    name VARCHAR(40) NOT NULL,
    secret_sealed BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    disabled_at TIMESTAMP WITH TIME ZONE,
    wrong_codes INTEGER DEFAULT '0' NOT NULL,
    locked_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_operators PRIMARY KEY (id),
    CONSTRAINT ck_operators_wrong_codes_counted CHECK (wrong_codes >= 0)
);
CREATE UNIQUE INDEX uq_operators_name ON operators (name) WHERE disabled_at IS NULL;

CREATE TABLE operator_acts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    operator_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    act VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    step BIGINT,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_operator_acts PRIMARY KEY (id),
    CONSTRAINT ck_operator_acts_act_known CHECK (act IN ('rerun', 'rerun_failed', 'release_ask', 'release_confirm', 'decide', 'quarantine_release', 'evidence_forget', 'operator_add', 'operator_disable')),
    CONSTRAINT ck_operator_acts_outcome_known CHECK (outcome IN ('proved', 'wrong_code', 'used_code', 'locked', 'done')),
    CONSTRAINT ck_operator_acts_step_of_a_proof CHECK ((step IS NOT NULL) = (outcome = 'proved')),
    CONSTRAINT fk_operator_acts_operator_id FOREIGN KEY(operator_id) REFERENCES operators (id)
);
CREATE INDEX ix_operator_acts_at ON operator_acts (at);
CREATE UNIQUE INDEX uq_operator_acts_step ON operator_acts (operator_id, step) WHERE step IS NOT NULL;

GRANT SELECT ON operators, operator_acts TO shenguan_app, shenguan_audit;
GRANT INSERT ON operators, operator_acts TO shenguan_app;
-- A secret never changes: a new one is a new account. What was done with a name is only added to.
GRANT UPDATE (disabled_at, wrong_codes, locked_until) ON operators TO shenguan_app;
