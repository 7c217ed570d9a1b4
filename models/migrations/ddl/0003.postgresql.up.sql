CREATE TABLE former_organisation (
    id BIGSERIAL NOT NULL,
    organisation_id BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    short_name VARCHAR NOT NULL,
    parent_id BIGINT,
    ends_on DATE NOT NULL,
    CONSTRAINT pk_former_organisation PRIMARY KEY (id),
    CONSTRAINT fk_former_organisation_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id),
    CONSTRAINT fk_former_organisation_parent_id_organisation FOREIGN KEY(parent_id) REFERENCES organisation (id)
);

--

CREATE INDEX ix_former_organisation_organisation_id ON former_organisation (organisation_id);

--

ALTER TABLE account ADD COLUMN must_change BOOLEAN DEFAULT false NOT NULL;

--

ALTER TABLE account ADD COLUMN password_at TIMESTAMP WITH TIME ZONE;

--

DROP INDEX ix_account_person_id;

--

CREATE UNIQUE INDEX ix_account_person_id ON account (person_id);

--

CREATE TABLE login_failure (
    id BIGSERIAL NOT NULL,
    login VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_login_failure PRIMARY KEY (id)
);

--

CREATE INDEX ix_login_failure_login ON login_failure (login, at);

--

CREATE INDEX ix_login_failure_address ON login_failure (address, at);

--

CREATE INDEX ix_login_failure_at ON login_failure (at);

--

ALTER TABLE session ADD COLUMN post_id BIGINT CONSTRAINT fk_session_post_id_post REFERENCES post (id);

--

ALTER TABLE session ADD COLUMN address VARCHAR DEFAULT '' NOT NULL;

--

ALTER TABLE session ADD COLUMN browser VARCHAR DEFAULT '' NOT NULL;

--

CREATE TABLE administrator (
    id BIGSERIAL NOT NULL,
    person_id BIGINT NOT NULL,
    role VARCHAR(32) NOT NULL,
    organisation_id BIGINT NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_administrator PRIMARY KEY (id),
    CONSTRAINT fk_administrator_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT ck_administrator_administratorrole CHECK (role IN ('system', 'security', 'audit')),
    CONSTRAINT fk_administrator_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id)
);

--

CREATE UNIQUE INDEX ux_administrator_open ON administrator (person_id) WHERE ended_at IS NULL;

--

CREATE INDEX ix_administrator_organisation_id ON administrator (organisation_id);

--

CREATE TABLE second_factor (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    secret VARCHAR NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    used_step BIGINT NOT NULL,
    CONSTRAINT pk_second_factor PRIMARY KEY (id),
    CONSTRAINT uq_second_factor_account_id UNIQUE (account_id),
    CONSTRAINT fk_second_factor_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);

--

CREATE TABLE account_event (
    id BIGSERIAL NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    act VARCHAR(32) NOT NULL,
    account_id BIGINT,
    by_person_id BIGINT,
    session_id BIGINT,
    address VARCHAR NOT NULL,
    CONSTRAINT pk_account_event PRIMARY KEY (id),
    CONSTRAINT ck_account_event_accountact CHECK (act IN ('signed_in', 'refused', 'held', 'signed_out', 'sessions_ended', 'made', 'closed', 'reopened', 'password_reset', 'password_changed', 'factor_added', 'factor_dropped', 'factor_recovered', 'appointed', 'dismissed')),
    CONSTRAINT fk_account_event_account_id_account FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_account_event_by_person_id_person FOREIGN KEY(by_person_id) REFERENCES person (id)
);

--

CREATE INDEX ix_account_event_act ON account_event (act, id);

--

CREATE INDEX ix_account_event_account ON account_event (account_id, id);

--

CREATE TRIGGER account_event_update_refused BEFORE UPDATE ON account_event FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER account_event_delete_refused BEFORE DELETE ON account_event FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER account_event_truncate_refused BEFORE TRUNCATE ON account_event FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

ALTER TABLE organisation ADD COLUMN ends_on DATE;

--

ALTER TABLE organisation ADD COLUMN successor_id BIGINT CONSTRAINT fk_organisation_successor_id_organisation REFERENCES organisation (id);

--

ALTER TABLE post ADD COLUMN ends_on DATE;

--

CREATE INDEX ix_post_abolished ON post (successor_id) WHERE successor_id IS NOT NULL;

--

CREATE INDEX ix_organisation_closed ON organisation (successor_id) WHERE successor_id IS NOT NULL;

--

CREATE TABLE former_post (
    id BIGSERIAL NOT NULL,
    post_id BIGINT NOT NULL,
    organisation_id BIGINT NOT NULL,
    title VARCHAR NOT NULL,
    ends_on DATE NOT NULL,
    CONSTRAINT pk_former_post PRIMARY KEY (id),
    CONSTRAINT fk_former_post_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_former_post_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id)
);

--

CREATE INDEX ix_former_post_post_id ON former_post (post_id);

--

CREATE TABLE vacancy (
    id BIGSERIAL NOT NULL,
    post_id BIGINT NOT NULL,
    case_id BIGINT,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_vacancy PRIMARY KEY (id),
    CONSTRAINT fk_vacancy_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT uq_vacancy_case_id UNIQUE (case_id),
    CONSTRAINT fk_vacancy_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id)
);

--

CREATE UNIQUE INDEX ux_vacancy_open ON vacancy (post_id) WHERE ended_at IS NULL;

--

CREATE TABLE handover (
    id BIGSERIAL NOT NULL,
    post_id BIGINT NOT NULL,
    appointment_id BIGINT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE,
    received_by BIGINT,
    CONSTRAINT pk_handover PRIMARY KEY (id),
    CONSTRAINT fk_handover_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT uq_handover_appointment_id UNIQUE (appointment_id),
    CONSTRAINT fk_handover_appointment_id_appointment FOREIGN KEY(appointment_id) REFERENCES appointment (id),
    CONSTRAINT fk_handover_received_by_person FOREIGN KEY(received_by) REFERENCES person (id)
);

--

CREATE INDEX ix_handover_post ON handover (post_id);

--

CREATE TABLE handover_item (
    id BIGSERIAL NOT NULL,
    handover_id BIGINT NOT NULL,
    slot_id BIGINT NOT NULL,
    CONSTRAINT pk_handover_item PRIMARY KEY (id),
    CONSTRAINT uq_handover_item_handover_id_slot_id UNIQUE (handover_id, slot_id),
    CONSTRAINT fk_handover_item_handover_id_handover FOREIGN KEY(handover_id) REFERENCES handover (id),
    CONSTRAINT fk_handover_item_slot_id_slot FOREIGN KEY(slot_id) REFERENCES slot (id)
);

--

CREATE TABLE substitution (
    id BIGSERIAL NOT NULL,
    post_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    substitute_post_id BIGINT NOT NULL,
    substitute_id BIGINT NOT NULL,
    every_mechanism BOOLEAN NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE NOT NULL,
    reason VARCHAR NOT NULL,
    made_by BIGINT NOT NULL,
    made_as BIGINT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_how VARCHAR(32),
    ended_by BIGINT,
    CONSTRAINT pk_substitution PRIMARY KEY (id),
    CONSTRAINT ck_substitution_span CHECK (ends_on > starts_on),
    CONSTRAINT ck_substitution_another CHECK (person_id <> substitute_id),
    CONSTRAINT ck_substitution_reason CHECK (reason <> ''),
    CONSTRAINT ck_substitution_ended CHECK ((ended_at IS NULL) = (ended_how IS NULL)),
    CONSTRAINT fk_substitution_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_substitution_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_substitution_substitute_post_id_post FOREIGN KEY(substitute_post_id) REFERENCES post (id),
    CONSTRAINT fk_substitution_substitute_id_person FOREIGN KEY(substitute_id) REFERENCES person (id),
    CONSTRAINT fk_substitution_made_by_person FOREIGN KEY(made_by) REFERENCES person (id),
    CONSTRAINT fk_substitution_made_as_post FOREIGN KEY(made_as) REFERENCES post (id),
    CONSTRAINT ck_substitution_substitutionend CHECK (ended_how IN ('expired', 'revoked', 'left')),
    CONSTRAINT fk_substitution_ended_by_person FOREIGN KEY(ended_by) REFERENCES person (id)
);

--

CREATE INDEX ix_substitution_person ON substitution (person_id, ends_on);

--

CREATE INDEX ix_substitution_post ON substitution (post_id, ends_on);

--

CREATE INDEX ix_substitution_substitute ON substitution (substitute_id, ends_on);

--

CREATE INDEX ix_substitution_open ON substitution (ends_on) WHERE ended_at IS NULL;

--

CREATE TABLE substitution_mechanism (
    id BIGSERIAL NOT NULL,
    substitution_id BIGINT NOT NULL,
    mechanism VARCHAR NOT NULL,
    CONSTRAINT pk_substitution_mechanism PRIMARY KEY (id),
    CONSTRAINT uq_substitution_mechanism_substitution_id_mechanism UNIQUE (substitution_id, mechanism),
    CONSTRAINT fk_substitution_mechanism_substitution_id_substitution FOREIGN KEY(substitution_id) REFERENCES substitution (id)
);

--

ALTER TABLE decision ADD COLUMN substitution_id BIGINT CONSTRAINT fk_decision_substitution_id_substitution REFERENCES substitution (id);

--

ALTER TABLE message ADD COLUMN substitution_id BIGINT CONSTRAINT fk_message_substitution_id_substitution REFERENCES substitution (id);

--

CREATE INDEX ix_decision_substitution ON decision (substitution_id) WHERE substitution_id IS NOT NULL;

--

CREATE TRIGGER substitution_update_refused BEFORE UPDATE ON substitution FOR EACH ROW WHEN (NOT (OLD.ended_at IS NULL) OR NEW.id IS DISTINCT FROM OLD.id OR NEW.post_id IS DISTINCT FROM OLD.post_id OR NEW.person_id IS DISTINCT FROM OLD.person_id OR NEW.substitute_post_id IS DISTINCT FROM OLD.substitute_post_id OR NEW.substitute_id IS DISTINCT FROM OLD.substitute_id OR NEW.every_mechanism IS DISTINCT FROM OLD.every_mechanism OR NEW.starts_on IS DISTINCT FROM OLD.starts_on OR NEW.ends_on IS DISTINCT FROM OLD.ends_on OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.made_by IS DISTINCT FROM OLD.made_by OR NEW.made_as IS DISTINCT FROM OLD.made_as OR NEW.made_at IS DISTINCT FROM OLD.made_at) EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER substitution_delete_refused BEFORE DELETE ON substitution FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER substitution_truncate_refused BEFORE TRUNCATE ON substitution FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER substitution_mechanism_update_refused BEFORE UPDATE ON substitution_mechanism FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER substitution_mechanism_delete_refused BEFORE DELETE ON substitution_mechanism FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER substitution_mechanism_truncate_refused BEFORE TRUNCATE ON substitution_mechanism FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TABLE evidence_file (
    id BIGSERIAL NOT NULL,
    sha256 VARCHAR NOT NULL,
    size INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_evidence_file PRIMARY KEY (id),
    CONSTRAINT uq_evidence_file_sha256 UNIQUE (sha256),
    CONSTRAINT ck_evidence_file_filekind CHECK (kind IN ('pdf', 'docx', 'doc', 'xlsx', 'xls', 'png', 'jpeg', 'gif', 'webp'))
);

--

CREATE TABLE evidence (
    id BIGSERIAL NOT NULL,
    case_id BIGINT NOT NULL,
    problem_id BIGINT NOT NULL,
    task_id BIGINT,
    CONSTRAINT pk_evidence PRIMARY KEY (id),
    CONSTRAINT fk_evidence_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_evidence_problem_id_problem FOREIGN KEY(problem_id) REFERENCES problem (id),
    CONSTRAINT fk_evidence_task_id_task FOREIGN KEY(task_id) REFERENCES task (id)
);

--

CREATE INDEX ix_evidence_problem_id ON evidence (problem_id);

--

CREATE INDEX ix_evidence_case_id ON evidence (case_id);

--

CREATE INDEX ix_evidence_task_id ON evidence (task_id);

--

CREATE TABLE evidence_version (
    id BIGSERIAL NOT NULL,
    evidence_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    file_id BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    note VARCHAR NOT NULL,
    slot_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    substitution_id BIGINT,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_evidence_version PRIMARY KEY (id),
    CONSTRAINT uq_evidence_version_evidence_id_number UNIQUE (evidence_id, number),
    CONSTRAINT fk_evidence_version_evidence_id_evidence FOREIGN KEY(evidence_id) REFERENCES evidence (id),
    CONSTRAINT fk_evidence_version_file_id_evidence_file FOREIGN KEY(file_id) REFERENCES evidence_file (id),
    CONSTRAINT fk_evidence_version_slot_id_slot FOREIGN KEY(slot_id) REFERENCES slot (id),
    CONSTRAINT fk_evidence_version_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_evidence_version_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_evidence_version_substitution_id_substitution FOREIGN KEY(substitution_id) REFERENCES substitution (id)
);

--

CREATE INDEX ix_evidence_version_file_id ON evidence_version (file_id);

--

CREATE TRIGGER evidence_version_update_refused BEFORE UPDATE ON evidence_version FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER evidence_version_delete_refused BEFORE DELETE ON evidence_version FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER evidence_version_truncate_refused BEFORE TRUNCATE ON evidence_version FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

ALTER TABLE person ADD COLUMN code VARCHAR;

--

CREATE UNIQUE INDEX ux_person_code ON person (code);

--

CREATE TABLE batch (
    id BIGSERIAL NOT NULL,
    kind VARCHAR(32) NOT NULL,
    state VARCHAR(32) NOT NULL,
    filename VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    data BYTEA,
    fingerprint VARCHAR NOT NULL,
    on_day DATE NOT NULL,
    person_id BIGINT,
    organisation_id BIGINT,
    said JSONB NOT NULL,
    staged_at TIMESTAMP WITH TIME ZONE NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE,
    undone_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_batch PRIMARY KEY (id),
    CONSTRAINT ck_batch_batchkind CHECK (kind IN ('organisation')),
    CONSTRAINT ck_batch_batchstate CHECK (state IN ('staged', 'applied', 'undone', 'dropped')),
    CONSTRAINT fk_batch_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_batch_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id)
);

--

CREATE INDEX ix_batch_person_id ON batch (person_id);

--

CREATE INDEX ix_batch_organisation_id ON batch (organisation_id);

--

CREATE TABLE batch_line (
    id BIGSERIAL NOT NULL,
    batch_id BIGINT NOT NULL,
    n INTEGER NOT NULL,
    sheet VARCHAR NOT NULL,
    row_number INTEGER NOT NULL,
    act VARCHAR(32) NOT NULL,
    what VARCHAR NOT NULL,
    fields JSONB NOT NULL,
    CONSTRAINT pk_batch_line PRIMARY KEY (id),
    CONSTRAINT uq_batch_line_batch_id_n UNIQUE (batch_id, n),
    CONSTRAINT fk_batch_line_batch_id_batch FOREIGN KEY(batch_id) REFERENCES batch (id),
    CONSTRAINT ck_batch_line_lineact CHECK (act IN ('new', 'changed', 'ended', 'unchanged'))
);

--

CREATE TABLE batch_change (
    id BIGSERIAL NOT NULL,
    batch_id BIGINT NOT NULL,
    table_name VARCHAR NOT NULL,
    row_id BIGINT NOT NULL,
    act VARCHAR(32) NOT NULL,
    before JSONB NOT NULL,
    after JSONB NOT NULL,
    CONSTRAINT pk_batch_change PRIMARY KEY (id),
    CONSTRAINT fk_batch_change_batch_id_batch FOREIGN KEY(batch_id) REFERENCES batch (id),
    CONSTRAINT ck_batch_change_changeact CHECK (act IN ('insert', 'update'))
);

--

CREATE INDEX ix_batch_change_row ON batch_change (batch_id, table_name, row_id);

--

CREATE INDEX ix_handover_item_slot_id ON handover_item (slot_id);

--

CREATE TABLE evidence_withdrawal (
    id BIGSERIAL NOT NULL,
    version_id BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    person_id BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    substitution_id BIGINT,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_evidence_withdrawal PRIMARY KEY (id),
    CONSTRAINT uq_evidence_withdrawal_version_id UNIQUE (version_id),
    CONSTRAINT fk_evidence_withdrawal_version_id_evidence_version FOREIGN KEY(version_id) REFERENCES evidence_version (id),
    CONSTRAINT fk_evidence_withdrawal_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_evidence_withdrawal_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_evidence_withdrawal_substitution_id_substitution FOREIGN KEY(substitution_id) REFERENCES substitution (id)
);

--

CREATE TRIGGER evidence_withdrawal_update_refused BEFORE UPDATE ON evidence_withdrawal FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER evidence_withdrawal_delete_refused BEFORE DELETE ON evidence_withdrawal FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER evidence_withdrawal_truncate_refused BEFORE TRUNCATE ON evidence_withdrawal FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE INDEX ix_evidence_version_slot_id ON evidence_version (slot_id);

--

ALTER TABLE installation ADD COLUMN looked_at TIMESTAMP WITH TIME ZONE;

--

CREATE TABLE trouble (
    id BIGSERIAL NOT NULL,
    name VARCHAR NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_trouble PRIMARY KEY (id),
    CONSTRAINT uq_trouble_name UNIQUE (name)
);

--

CREATE TABLE ledger (
    id BIGSERIAL NOT NULL,
    organisation_id BIGINT NOT NULL,
    batch VARCHAR NOT NULL,
    state VARCHAR(32) NOT NULL,
    filename VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    data BYTEA,
    fingerprint VARCHAR NOT NULL,
    said JSONB NOT NULL,
    person_id BIGINT,
    staged_at TIMESTAMP WITH TIME ZONE NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE,
    case_id BIGINT,
    CONSTRAINT pk_ledger PRIMARY KEY (id),
    CONSTRAINT fk_ledger_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id),
    CONSTRAINT ck_ledger_batchstate CHECK (state IN ('staged', 'applied', 'undone', 'dropped')),
    CONSTRAINT fk_ledger_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT uq_ledger_case_id UNIQUE (case_id),
    CONSTRAINT fk_ledger_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id)
);

--

CREATE INDEX ix_ledger_organisation_id ON ledger (organisation_id);

--

CREATE INDEX ix_ledger_person_id ON ledger (person_id);

--

CREATE TABLE ledger_problem (
    id BIGSERIAL NOT NULL,
    ledger_id BIGINT NOT NULL,
    problem_id BIGINT NOT NULL,
    row_number INTEGER NOT NULL,
    stage VARCHAR NOT NULL,
    applied_on DATE,
    closed_on DATE,
    evidence VARCHAR NOT NULL,
    CONSTRAINT pk_ledger_problem PRIMARY KEY (id),
    CONSTRAINT uq_ledger_problem_problem_id UNIQUE (problem_id),
    CONSTRAINT fk_ledger_problem_ledger_id_ledger FOREIGN KEY(ledger_id) REFERENCES ledger (id),
    CONSTRAINT fk_ledger_problem_problem_id_problem FOREIGN KEY(problem_id) REFERENCES problem (id)
);

--

CREATE TABLE ledger_task (
    id BIGSERIAL NOT NULL,
    task_id BIGINT NOT NULL,
    row_number INTEGER NOT NULL,
    done_on DATE,
    CONSTRAINT pk_ledger_task PRIMARY KEY (id),
    CONSTRAINT uq_ledger_task_task_id UNIQUE (task_id),
    CONSTRAINT fk_ledger_task_task_id_task FOREIGN KEY(task_id) REFERENCES task (id)
);

--

CREATE TABLE extension (
    id BIGSERIAL NOT NULL,
    task_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    from_on DATE NOT NULL,
    to_on DATE NOT NULL,
    agreed_on DATE NOT NULL,
    agreed_by VARCHAR NOT NULL,
    row_number INTEGER NOT NULL,
    CONSTRAINT pk_extension PRIMARY KEY (id),
    CONSTRAINT uq_extension_task_id_number UNIQUE (task_id, number),
    CONSTRAINT fk_extension_task_id_task FOREIGN KEY(task_id) REFERENCES task (id)
);

--

CREATE TABLE planned_change (
    id BIGSERIAL NOT NULL,
    unit_id BIGINT NOT NULL,
    what VARCHAR NOT NULL,
    given JSONB NOT NULL,
    seen JSONB NOT NULL,
    due_on DATE NOT NULL,
    made_by BIGINT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state VARCHAR(32) NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by BIGINT,
    outcome JSONB,
    CONSTRAINT pk_planned_change PRIMARY KEY (id),
    CONSTRAINT fk_planned_change_unit_id_organisation FOREIGN KEY(unit_id) REFERENCES organisation (id),
    CONSTRAINT fk_planned_change_made_by_person FOREIGN KEY(made_by) REFERENCES person (id),
    CONSTRAINT ck_planned_change_plannedstate CHECK (state IN ('waiting', 'begun', 'done', 'withdrawn', 'halted')),
    CONSTRAINT fk_planned_change_ended_by_person FOREIGN KEY(ended_by) REFERENCES person (id)
);

--

CREATE INDEX ix_planned_change_open ON planned_change (due_on) WHERE state IN ('waiting', 'begun');

--

CREATE INDEX ix_planned_change_unit_id ON planned_change (unit_id);

--

CREATE TABLE seal_key (
    id BIGSERIAL NOT NULL,
    key_id VARCHAR NOT NULL,
    public VARCHAR NOT NULL,
    endorsed VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_seal_key PRIMARY KEY (id),
    CONSTRAINT uq_seal_key_key_id UNIQUE (key_id)
);

--

CREATE TABLE seal (
    id BIGSERIAL NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    root VARCHAR NOT NULL,
    peaks VARCHAR NOT NULL,
    previous VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    algorithm VARCHAR NOT NULL,
    key_id VARCHAR NOT NULL,
    signature VARCHAR NOT NULL,
    entries INTEGER NOT NULL,
    CONSTRAINT pk_seal PRIMARY KEY (id),
    CONSTRAINT uq_seal_number UNIQUE (number)
);

--

CREATE TABLE seal_leaf (
    id BIGSERIAL NOT NULL,
    place INTEGER NOT NULL,
    stream VARCHAR NOT NULL,
    n INTEGER NOT NULL,
    hash VARCHAR NOT NULL,
    CONSTRAINT pk_seal_leaf PRIMARY KEY (id),
    CONSTRAINT uq_seal_leaf_stream_n UNIQUE (stream, n),
    CONSTRAINT uq_seal_leaf_place UNIQUE (place)
);

--

CREATE TRIGGER seal_update_refused BEFORE UPDATE ON seal FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER seal_delete_refused BEFORE DELETE ON seal FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER seal_truncate_refused BEFORE TRUNCATE ON seal FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER seal_leaf_update_refused BEFORE UPDATE ON seal_leaf FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER seal_leaf_delete_refused BEFORE DELETE ON seal_leaf FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER seal_leaf_truncate_refused BEFORE TRUNCATE ON seal_leaf FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER seal_key_update_refused BEFORE UPDATE ON seal_key FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER seal_key_delete_refused BEFORE DELETE ON seal_key FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER seal_key_truncate_refused BEFORE TRUNCATE ON seal_key FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

ALTER TABLE step ADD COLUMN turns JSONB;
