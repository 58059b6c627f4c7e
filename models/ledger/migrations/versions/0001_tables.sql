-- The ledger's tables as of the first release. Frozen: what comes later is another migration.
-- Why each constraint and partial index is there is said in models/ledger/tables/.

CREATE TABLE business_clock (
    id INTEGER NOT NULL,
    anchor_machine TIMESTAMP WITH TIME ZONE NOT NULL,
    anchor_business TIMESTAMP WITH TIME ZONE NOT NULL,
    rate NUMERIC NOT NULL,
    CONSTRAINT pk_business_clock PRIMARY KEY (id),
    CONSTRAINT ck_business_clock_one_clock CHECK (id = 1),
    CONSTRAINT ck_business_clock_never_backwards CHECK (rate >= 0)
);

CREATE TABLE cases (
    id UUID NOT NULL,
    source VARCHAR NOT NULL,
    case_no VARCHAR(64) NOT NULL,
    data_version INTEGER NOT NULL,
    inbox_id UUID NOT NULL,
    state VARCHAR NOT NULL,
    reason VARCHAR,
    result VARCHAR,
    item_code VARCHAR NOT NULL,
    item_version VARCHAR NOT NULL,
    item_name VARCHAR NOT NULL,
    mode VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    place_region VARCHAR NOT NULL,
    approval_department VARCHAR NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    observe_until DATE,
    party_index BYTEA NOT NULL,
    licence_id UUID,
    parent_case_no VARCHAR,
    needs_credit_check BOOLEAN NOT NULL,
    row_version INTEGER NOT NULL,
    first_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_cases PRIMARY KEY (id),
    CONSTRAINT ck_cases_state_known CHECK (state IN ('accepted', 'completed', 'settled', 'voided')),
    CONSTRAINT ck_cases_result_known CHECK (result IN ('granted', 'refused', 'withdrawn', 'terminated')),
    CONSTRAINT ck_cases_mode_known CHECK (mode IN ('silent', 'trial', 'live', 'stock')),
    CONSTRAINT ck_cases_result_with_completed_at CHECK ((result IS NULL) = (completed_at IS NULL)),
    CONSTRAINT ck_cases_settled_at_when_settled CHECK ((settled_at IS NOT NULL) = (state = 'settled')),
    CONSTRAINT ck_cases_completed_has_result CHECK (state NOT IN ('completed', 'settled') OR result IS NOT NULL)
);
CREATE INDEX ix_cases_licence ON cases (licence_id) WHERE licence_id IS NOT NULL;
CREATE INDEX ix_cases_party ON cases (party_index);
CREATE INDEX ix_cases_to_check ON cases (first_seen_at) WHERE needs_credit_check;
CREATE INDEX ix_cases_to_settle ON cases (observe_until) WHERE state = 'completed';
CREATE UNIQUE INDEX uq_cases_number ON cases (source, case_no);

CREATE TABLE catalog_versions (
    version VARCHAR NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    loaded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_catalog_versions PRIMARY KEY (version)
);

CREATE TABLE credit_records (
    record_no VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    operation VARCHAR NOT NULL,
    inbox_id UUID NOT NULL,
    party_index BYTEA NOT NULL,
    category VARCHAR NOT NULL,
    valid_from DATE,
    valid_to DATE,
    active BOOLEAN NOT NULL,
    CONSTRAINT pk_credit_records PRIMARY KEY (record_no),
    CONSTRAINT ck_credit_records_operation_known CHECK (operation IN ('entry', 'removal', 'repair'))
);
CREATE INDEX ix_credit_records_party ON credit_records (party_index) WHERE active;

CREATE TABLE departments (
    code VARCHAR(18) NOT NULL,
    name VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    successor VARCHAR,
    CONSTRAINT pk_departments PRIMARY KEY (code),
    CONSTRAINT ck_departments_level_known CHECK (level IN ('city', 'county', 'township'))
);

CREATE TABLE effect_attempts (
    own_id VARCHAR(32) NOT NULL,
    attempt INTEGER NOT NULL,
    worker VARCHAR NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    outcome VARCHAR,
    answer VARCHAR,
    CONSTRAINT pk_effect_attempts PRIMARY KEY (own_id, attempt),
    CONSTRAINT ck_effect_attempts_finished_at_with_outcome CHECK ((finished_at IS NULL) = (outcome IS NULL))
);

CREATE TABLE effect_bodies (
    own_id VARCHAR(32) NOT NULL,
    body_sealed BYTEA NOT NULL,
    CONSTRAINT pk_effect_bodies PRIMARY KEY (own_id)
);

CREATE TABLE effects (
    own_id VARCHAR(32) NOT NULL,
    channel VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    business_key VARCHAR NOT NULL,
    stage VARCHAR,
    content_version INTEGER NOT NULL,
    content_sha256 VARCHAR(64) NOT NULL,
    state VARCHAR NOT NULL,
    reason VARCHAR,
    doubtful BOOLEAN DEFAULT false NOT NULL,
    case_id UUID,
    handover_id UUID,
    lease_token UUID,
    lease_until TIMESTAMP WITH TIME ZONE,
    attempts INTEGER DEFAULT '0' NOT NULL,
    deaths INTEGER DEFAULT '0' NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    send_after TIMESTAMP WITH TIME ZONE NOT NULL,
    planned_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    answered_business TIMESTAMP WITH TIME ZONE,
    receipt_number VARCHAR,
    receipt_at TIMESTAMP WITH TIME ZONE,
    receipt_account VARCHAR,
    owner VARCHAR,
    due_at TIMESTAMP WITH TIME ZONE,
    asked_by VARCHAR,
    confirmed_by VARCHAR,
    decided_by VARCHAR,
    decided_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_effects PRIMARY KEY (own_id),
    CONSTRAINT ck_effects_channel_known CHECK (channel IN ('push', 'recall', 'return', 'credit_report', 'sms')),
    CONSTRAINT ck_effects_state_known CHECK (state IN ('planned', 'leased', 'intent', 'unknown', 'accepted', 'refused', 'held', 'superseded', 'delivered', 'undelivered')),
    CONSTRAINT ck_effects_lease_token_with_lease_until CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CONSTRAINT ck_effects_leased_has_token CHECK ((state IN ('leased', 'intent')) = (lease_token IS NOT NULL)),
    CONSTRAINT ck_effects_stopped_has_owner CHECK (state NOT IN ('refused', 'held') OR (owner IS NOT NULL AND due_at IS NOT NULL)),
    CONSTRAINT ck_effects_two_persons_release CHECK (confirmed_by IS NULL OR confirmed_by <> asked_by)
);
CREATE INDEX ix_effects_case ON effects (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX ix_effects_due ON effects (channel, not_before) WHERE state IN ('planned', 'unknown');
CREATE INDEX ix_effects_leases ON effects (lease_until) WHERE lease_token IS NOT NULL;
CREATE INDEX ix_effects_receipt ON effects (receipt_number) WHERE channel IN ('push', 'sms');
CREATE INDEX ix_effects_stopped ON effects (due_at) WHERE state IN ('held', 'refused');
CREATE UNIQUE INDEX uq_effects_phone ON effects (target) WHERE channel = 'sms' AND state IN ('intent', 'leased', 'unknown');
CREATE UNIQUE INDEX uq_effects_planned ON effects (channel, target, business_key) WHERE state = 'planned';
CREATE UNIQUE INDEX uq_effects_unresolved ON effects (channel, target, business_key) WHERE state IN ('intent', 'leased', 'unknown');
CREATE UNIQUE INDEX uq_effects_version ON effects (channel, target, business_key, content_version);

CREATE TABLE feedback (
    id UUID NOT NULL,
    source VARCHAR NOT NULL,
    feedback_no VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    inbox_id UUID NOT NULL,
    department_code VARCHAR NOT NULL,
    supervision_item VARCHAR,
    case_id UUID,
    licence_id UUID,
    matched_by VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    result VARCHAR,
    abnormal BOOLEAN NOT NULL,
    withdrawn BOOLEAN NOT NULL,
    happened_on DATE NOT NULL,
    rectification_due DATE,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_feedback PRIMARY KEY (id)
);
CREATE INDEX ix_feedback_case ON feedback (case_id) WHERE case_id IS NOT NULL;
CREATE UNIQUE INDEX uq_feedback_number ON feedback (source, feedback_no);

CREATE TABLE history (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    entity VARCHAR NOT NULL,
    entity_id VARCHAR NOT NULL,
    case_id UUID,
    from_state VARCHAR,
    event VARCHAR NOT NULL,
    to_state VARCHAR NOT NULL,
    reason VARCHAR,
    actor VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    business_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_history PRIMARY KEY (id)
);
CREATE INDEX ix_history_case ON history (case_id, id);

CREATE TABLE inbox (
    id UUID NOT NULL,
    position BIGINT GENERATED ALWAYS AS IDENTITY,
    source VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    record_key VARCHAR NOT NULL,
    record_version INTEGER,
    sha256 VARCHAR(64) NOT NULL,
    line_no INTEGER,
    business_date DATE,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    outcome VARCHAR DEFAULT 'waiting' NOT NULL,
    reason VARCHAR,
    attempts INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_inbox PRIMARY KEY (id),
    CONSTRAINT ck_inbox_outcome_known CHECK (outcome IN ('waiting', 'admitted', 'stale', 'parked', 'not_applicable', 'quarantined', 'superseded')),
    CONSTRAINT ck_inbox_kind_known CHECK (kind IN ('case', 'feedback', 'credit_record', 'sms_receipt', 'answer'))
);
CREATE INDEX ix_inbox_key ON inbox (kind, record_key);
CREATE INDEX ix_inbox_parked ON inbox (reason) WHERE outcome = 'parked';
CREATE INDEX ix_inbox_waiting ON inbox (kind, position) WHERE outcome = 'waiting';

CREATE TABLE inbox_raw (
    inbox_id UUID NOT NULL,
    raw_sealed BYTEA NOT NULL,
    CONSTRAINT pk_inbox_raw PRIMARY KEY (inbox_id)
);

CREATE TABLE incidents (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    kind VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    count INTEGER NOT NULL,
    message VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_incidents PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_incidents_open ON incidents (kind, key) WHERE closed_at IS NULL;

CREATE TABLE licences (
    id UUID NOT NULL,
    party_index BYTEA NOT NULL,
    number VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    reason VARCHAR,
    item_code VARCHAR NOT NULL,
    case_id UUID NOT NULL,
    valid_from DATE,
    valid_to DATE,
    row_version INTEGER NOT NULL,
    CONSTRAINT pk_licences PRIMARY KEY (id),
    CONSTRAINT ck_licences_state_known CHECK (state IN ('valid', 'changed', 'renewed', 'suspended', 'revoked', 'withdrawn', 'cancelled', 'expired'))
);
CREATE INDEX ix_licences_number ON licences (number);
CREATE INDEX ix_licences_party ON licences (party_index, item_code);

CREATE TABLE refused_secret (
    case_index BYTEA NOT NULL,
    refused_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_refused_secret PRIMARY KEY (case_index)
);

CREATE TABLE watermarks (
    source VARCHAR NOT NULL,
    feed VARCHAR NOT NULL,
    cursor VARCHAR,
    previous_cursor VARCHAR,
    trailing_cursor VARCHAR,
    trailing_at TIMESTAMP WITH TIME ZONE,
    moved_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    repeats INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_watermarks PRIMARY KEY (source, feed)
);

CREATE TABLE catalog_items (
    version VARCHAR NOT NULL,
    code VARCHAR NOT NULL,
    body JSONB NOT NULL,
    CONSTRAINT pk_catalog_items PRIMARY KEY (version, code),
    CONSTRAINT fk_catalog_items_version FOREIGN KEY(version) REFERENCES catalog_versions (version)
);

CREATE TABLE credit_checks (
    case_id UUID NOT NULL,
    source VARCHAR NOT NULL,
    number VARCHAR NOT NULL,
    checked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    grade VARCHAR NOT NULL,
    advice VARCHAR NOT NULL,
    basis VARCHAR NOT NULL,
    records INTEGER NOT NULL,
    body_sealed BYTEA NOT NULL,
    CONSTRAINT pk_credit_checks PRIMARY KEY (case_id),
    CONSTRAINT ck_credit_checks_grade_known CHECK (grade IN ('good', 'ordinary', 'bad')),
    CONSTRAINT ck_credit_checks_source_known CHECK (source IN ('platform', 'us')),
    CONSTRAINT fk_credit_checks_case_id FOREIGN KEY(case_id) REFERENCES cases (id)
);

CREATE TABLE credit_reports (
    own_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    case_id UUID,
    feedback_id UUID,
    document_number VARCHAR NOT NULL,
    CONSTRAINT pk_credit_reports PRIMARY KEY (own_id),
    CONSTRAINT ck_credit_reports_kind_known CHECK (kind IN ('XK', 'CF')),
    CONSTRAINT fk_credit_reports_own_id FOREIGN KEY(own_id) REFERENCES effects (own_id)
);
CREATE INDEX ix_credit_reports_case ON credit_reports (case_id);

CREATE TABLE handovers (
    id UUID NOT NULL,
    case_id UUID NOT NULL,
    supervision_item VARCHAR NOT NULL,
    section_key VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    department_code VARCHAR,
    section_id VARCHAR,
    state VARCHAR NOT NULL,
    reason VARCHAR,
    owner VARCHAR,
    due_at TIMESTAMP WITH TIME ZONE,
    pushed_at TIMESTAMP WITH TIME ZONE,
    claimed_at TIMESTAMP WITH TIME ZONE,
    claimed_by VARCHAR,
    read_at TIMESTAMP WITH TIME ZONE,
    observe_until DATE,
    closed_at TIMESTAMP WITH TIME ZONE,
    row_version INTEGER NOT NULL,
    CONSTRAINT pk_handovers PRIMARY KEY (id),
    CONSTRAINT ck_handovers_state_known CHECK (state IN ('planned', 'pushed', 'claimed', 'observing', 'returned', 'closed', 'recalled')),
    CONSTRAINT ck_handovers_claimed_at_with_claimed_by CHECK ((claimed_at IS NULL) = (claimed_by IS NULL)),
    CONSTRAINT ck_handovers_never_without_owner CHECK (department_code IS NOT NULL OR owner IS NOT NULL),
    CONSTRAINT ck_handovers_observing_ends CHECK (state <> 'observing' OR observe_until IS NOT NULL),
    CONSTRAINT fk_handovers_case_id FOREIGN KEY(case_id) REFERENCES cases (id)
);
CREATE INDEX ix_handovers_claimed ON handovers (claimed_at) WHERE state = 'claimed';
CREATE INDEX ix_handovers_dispatching ON handovers (case_id) WHERE department_code IS NULL;
CREATE INDEX ix_handovers_observing ON handovers (observe_until) WHERE state = 'observing';
CREATE INDEX ix_handovers_pushed ON handovers (pushed_at) WHERE state = 'pushed';
CREATE UNIQUE INDEX uq_handovers_duty ON handovers (case_id, supervision_item, section_key);

CREATE TABLE mirror (
    case_id UUID NOT NULL,
    flow_run_id UUID,
    shown VARCHAR,
    dirty_since TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_mirror PRIMARY KEY (case_id),
    CONSTRAINT fk_mirror_case_id FOREIGN KEY(case_id) REFERENCES cases (id)
);
CREATE INDEX ix_mirror_dirty ON mirror (dirty_since) WHERE dirty_since IS NOT NULL;

CREATE TABLE quarantine (
    id UUID NOT NULL,
    inbox_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    record_key VARCHAR NOT NULL,
    line_no INTEGER,
    rule VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE,
    released_by VARCHAR,
    CONSTRAINT pk_quarantine PRIMARY KEY (id),
    CONSTRAINT fk_quarantine_inbox_id FOREIGN KEY(inbox_id) REFERENCES inbox (id)
);
CREATE INDEX ix_quarantine_due ON quarantine (due_at) WHERE released_at IS NULL;
CREATE UNIQUE INDEX uq_quarantine_open ON quarantine (inbox_id) WHERE released_at IS NULL;

CREATE TABLE sections (
    id VARCHAR NOT NULL,
    department_code VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    CONSTRAINT pk_sections PRIMARY KEY (id),
    CONSTRAINT fk_sections_department_code FOREIGN KEY(department_code) REFERENCES departments (code)
);

CREATE TABLE sms_news (
    push_own_id VARCHAR NOT NULL,
    case_id UUID NOT NULL,
    handover_id UUID NOT NULL,
    stage VARCHAR NOT NULL,
    section_id VARCHAR NOT NULL,
    urgent BOOLEAN NOT NULL,
    state VARCHAR NOT NULL,
    sms_own_id VARCHAR,
    liaison VARCHAR,
    owner VARCHAR,
    due_at TIMESTAMP WITH TIME ZONE,
    business_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_sms_news PRIMARY KEY (push_own_id),
    CONSTRAINT ck_sms_news_state_known CHECK (state IN ('waiting', 'folded', 'no_phone')),
    CONSTRAINT ck_sms_news_folded_into_a_text CHECK ((sms_own_id IS NOT NULL) = (state = 'folded')),
    CONSTRAINT ck_sms_news_no_phone_has_owner CHECK (state <> 'no_phone' OR (owner IS NOT NULL AND due_at IS NOT NULL)),
    CONSTRAINT fk_sms_news_push_own_id FOREIGN KEY(push_own_id) REFERENCES effects (own_id)
);
CREATE INDEX ix_sms_news_case ON sms_news (case_id);
CREATE INDEX ix_sms_news_text ON sms_news (sms_own_id);
CREATE INDEX ix_sms_news_waiting ON sms_news (section_id) WHERE state <> 'folded';

CREATE TABLE sms_texts (
    own_id VARCHAR NOT NULL,
    phone_index BYTEA NOT NULL,
    reference VARCHAR NOT NULL,
    business_day VARCHAR NOT NULL,
    planned_business TIMESTAMP WITH TIME ZONE NOT NULL,
    news_count INTEGER NOT NULL,
    text_sha256 VARCHAR(64) NOT NULL,
    report_status VARCHAR,
    report_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_sms_texts PRIMARY KEY (own_id),
    CONSTRAINT fk_sms_texts_own_id FOREIGN KEY(own_id) REFERENCES effects (own_id),
    CONSTRAINT uq_sms_texts_reference UNIQUE (reference)
);

CREATE TABLE feedback_handovers (
    feedback_id UUID NOT NULL,
    handover_id UUID NOT NULL,
    CONSTRAINT pk_feedback_handovers PRIMARY KEY (feedback_id, handover_id),
    CONSTRAINT fk_feedback_handovers_feedback_id FOREIGN KEY(feedback_id) REFERENCES feedback (id),
    CONSTRAINT fk_feedback_handovers_handover_id FOREIGN KEY(handover_id) REFERENCES handovers (id)
);
CREATE INDEX ix_feedback_handovers_handover ON feedback_handovers (handover_id);

CREATE TABLE liaisons (
    id UUID NOT NULL,
    number VARCHAR NOT NULL,
    department_code VARCHAR NOT NULL,
    section_id VARCHAR NOT NULL,
    rank INTEGER NOT NULL,
    name_sealed BYTEA NOT NULL,
    phone_sealed BYTEA,
    phone_index BYTEA,
    valid_from DATE NOT NULL,
    valid_to DATE,
    CONSTRAINT pk_liaisons PRIMARY KEY (id),
    CONSTRAINT ck_liaisons_rank_counts_from_one CHECK (rank > 0),
    CONSTRAINT ck_liaisons_phone_sealed_with_phone_index CHECK ((phone_sealed IS NULL) = (phone_index IS NULL)),
    CONSTRAINT fk_liaisons_department_code FOREIGN KEY(department_code) REFERENCES departments (code),
    CONSTRAINT fk_liaisons_section_id FOREIGN KEY(section_id) REFERENCES sections (id)
);
CREATE UNIQUE INDEX uq_liaisons_rank ON liaisons (section_id, rank, valid_from);
