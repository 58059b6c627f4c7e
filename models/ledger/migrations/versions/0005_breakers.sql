-- A target that does not answer stops costing calls; one row a target, '' for the whole system.
CREATE TABLE breakers (
    system VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    cause VARCHAR,
    failures INTEGER NOT NULL,
    first_failure_at TIMESTAMP WITH TIME ZONE,
    opened_at TIMESTAMP WITH TIME ZONE,
    last_answer VARCHAR,
    probes INTEGER NOT NULL,
    probe_at TIMESTAMP WITH TIME ZONE,
    probe_until TIMESTAMP WITH TIME ZONE,
    wait_until TIMESTAMP WITH TIME ZONE,
    row_version INTEGER NOT NULL,
    CONSTRAINT pk_breakers PRIMARY KEY (system, target),
    CONSTRAINT ck_breakers_state_known CHECK (state IN ('closed', 'open', 'half_open')),
    CONSTRAINT ck_breakers_open_since CHECK ((state = 'closed') = (opened_at IS NULL)),
    CONSTRAINT ck_breakers_one_prober CHECK ((state = 'half_open') = (probe_until IS NOT NULL))
);
GRANT SELECT ON breakers TO shenguan_app, shenguan_audit;
GRANT INSERT, UPDATE ON breakers TO shenguan_app;

-- What is due is looked for target by target: a backlog of one hides no other.
DROP INDEX ix_effects_due;
CREATE INDEX ix_effects_due ON effects (channel, target, not_before) WHERE state IN ('planned', 'unknown');

-- Which gateway a text went by, or goes by next.
ALTER TABLE effects ADD COLUMN via VARCHAR;
ALTER TABLE effect_attempts ADD COLUMN via VARCHAR;
GRANT UPDATE (via) ON effects TO shenguan_app;

-- The text that carried this news and was held: a late proof, or a release, takes the news back.
ALTER TABLE sms_news ADD COLUMN carried_by VARCHAR;
CREATE INDEX ix_sms_news_carried ON sms_news (carried_by) WHERE carried_by IS NOT NULL;
