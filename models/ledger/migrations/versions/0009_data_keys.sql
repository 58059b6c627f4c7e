-- A key for each subject, wrapped by the keyring; and whose was destroyed, at whose word.

CREATE TABLE data_keys (
    id UUID NOT NULL,
    subject BYTEA NOT NULL,
    algorithm VARCHAR NOT NULL,
    wrapped BYTEA,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    destroyed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_data_keys PRIMARY KEY (id),
    CONSTRAINT ck_data_keys_destroyed_is_gone CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE UNIQUE INDEX uq_data_keys_subject ON data_keys (subject) WHERE wrapped IS NOT NULL;

CREATE TABLE forgettings (
    id UUID NOT NULL,
    case_id UUID NOT NULL,
    note VARCHAR NOT NULL,
    asked_by VARCHAR NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    confirmed_by VARCHAR,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    keys INTEGER,
    leaf BIGINT,
    CONSTRAINT pk_forgettings PRIMARY KEY (id),
    CONSTRAINT ck_forgettings_two_persons CHECK (confirmed_by <> asked_by),
    CONSTRAINT ck_forgettings_confirmed_by_with_confirmed_at CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL))
);
CREATE UNIQUE INDEX uq_forgettings_open ON forgettings (case_id) WHERE confirmed_by IS NULL;

CREATE FUNCTION a_destroyed_key_stays_destroyed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a destroyed key stays destroyed' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER stays_destroyed BEFORE UPDATE ON data_keys FOR EACH ROW
    WHEN (OLD.wrapped IS NULL) EXECUTE FUNCTION a_destroyed_key_stays_destroyed();

ALTER TABLE operator_acts DROP CONSTRAINT ck_operator_acts_act_known;
ALTER TABLE operator_acts ADD CONSTRAINT ck_operator_acts_act_known CHECK (act IN ('rerun', 'rerun_failed', 'release_ask', 'release_confirm', 'decide', 'quarantine_release', 'evidence_forget', 'operator_add', 'operator_disable', 'evidence_open'));

GRANT SELECT ON data_keys, forgettings TO shenguan_app, shenguan_audit;
GRANT INSERT ON data_keys, forgettings TO shenguan_app;
GRANT UPDATE (wrapped, destroyed_at) ON data_keys TO shenguan_app;
GRANT UPDATE (confirmed_by, confirmed_at, keys, leaf) ON forgettings TO shenguan_app;
