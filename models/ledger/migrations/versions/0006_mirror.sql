-- What the mirror remembers of each case beside its run: the sentence its state says, when, and how much of
-- its timeline stands on its log page.
ALTER TABLE mirror ADD COLUMN message VARCHAR;
ALTER TABLE mirror ADD COLUMN shown_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE mirror ADD COLUMN told_id BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE mirror ADD COLUMN telling_id BIGINT;
ALTER TABLE mirror ADD COLUMN telling_until TIMESTAMP WITH TIME ZONE;
ALTER TABLE mirror ADD COLUMN told_due TIMESTAMP WITH TIME ZONE;
ALTER TABLE mirror ADD CONSTRAINT ck_mirror_telling_id_with_telling_until CHECK ((telling_id IS NULL) = (telling_until IS NULL));
CREATE INDEX ix_mirror_told_due ON mirror (told_due) WHERE told_due IS NOT NULL;

-- Whose turn it is to show, and what showing has cost so far.
CREATE TABLE mirror_turn (
    id INTEGER NOT NULL,
    holder VARCHAR NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    created BIGINT DEFAULT '0' NOT NULL,
    moved BIGINT DEFAULT '0' NOT NULL,
    lines BIGINT DEFAULT '0' NOT NULL,
    calls BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_mirror_turn PRIMARY KEY (id),
    CONSTRAINT ck_mirror_turn_one_turn CHECK (id = 1)
);

-- Which run shows which open matter.
CREATE TABLE mirror_incidents (
    key VARCHAR NOT NULL,
    flow_run_id UUID,
    shown VARCHAR,
    message VARCHAR,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_mirror_incidents PRIMARY KEY (key)
);

GRANT SELECT, INSERT, UPDATE ON mirror_turn, mirror_incidents TO shenguan_app;
GRANT SELECT ON mirror_turn, mirror_incidents TO shenguan_audit;
