-- A mark of each key that ever opened this ledger; it says nothing of the key.

CREATE TABLE key_marks (
    purpose VARCHAR NOT NULL,
    key_id INTEGER NOT NULL,
    mark BYTEA NOT NULL,
    known_since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_key_marks PRIMARY KEY (purpose, key_id),
    CONSTRAINT ck_key_marks_purpose_known CHECK (purpose IN ('seal', 'index'))
);
GRANT SELECT ON key_marks TO shenguan_app, shenguan_audit;
GRANT INSERT ON key_marks TO shenguan_app;
