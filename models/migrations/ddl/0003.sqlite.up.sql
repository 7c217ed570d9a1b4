CREATE TABLE former_organisation (
    id INTEGER NOT NULL,
    organisation_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    short_name VARCHAR NOT NULL,
    parent_id INTEGER,
    ends_on DATE NOT NULL,
    CONSTRAINT pk_former_organisation PRIMARY KEY (id),
    CONSTRAINT fk_former_organisation_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id),
    CONSTRAINT fk_former_organisation_parent_id_organisation FOREIGN KEY(parent_id) REFERENCES organisation (id)
);

--

CREATE INDEX ix_former_organisation_organisation_id ON former_organisation (organisation_id);

--

ALTER TABLE account ADD COLUMN must_change BOOLEAN DEFAULT 0 NOT NULL;

--

ALTER TABLE account ADD COLUMN password_at DATETIME;

--

DROP INDEX ix_account_person_id;

--

CREATE UNIQUE INDEX ix_account_person_id ON account (person_id);

--

CREATE TABLE login_failure (
    id INTEGER NOT NULL,
    login VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    at DATETIME NOT NULL,
    CONSTRAINT pk_login_failure PRIMARY KEY (id)
);

--

CREATE INDEX ix_login_failure_login ON login_failure (login, at);

--

CREATE INDEX ix_login_failure_address ON login_failure (address, at);

--

CREATE INDEX ix_login_failure_at ON login_failure (at);

--

ALTER TABLE session ADD COLUMN post_id INTEGER CONSTRAINT fk_session_post_id_post REFERENCES post (id);

--

ALTER TABLE session ADD COLUMN address VARCHAR DEFAULT '' NOT NULL;

--

ALTER TABLE session ADD COLUMN browser VARCHAR DEFAULT '' NOT NULL;

--

CREATE TABLE administrator (
    id INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    role VARCHAR(32) NOT NULL,
    organisation_id INTEGER NOT NULL,
    begun_at DATETIME NOT NULL,
    ended_at DATETIME,
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
    id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    secret VARCHAR NOT NULL,
    made_at DATETIME NOT NULL,
    confirmed_at DATETIME,
    used_step BIGINT NOT NULL,
    CONSTRAINT pk_second_factor PRIMARY KEY (id),
    CONSTRAINT uq_second_factor_account_id UNIQUE (account_id),
    CONSTRAINT fk_second_factor_account_id_account FOREIGN KEY(account_id) REFERENCES account (id)
);

--

CREATE TABLE account_event (
    id INTEGER NOT NULL,
    at DATETIME NOT NULL,
    act VARCHAR(32) NOT NULL,
    account_id INTEGER,
    by_person_id INTEGER,
    session_id INTEGER,
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

CREATE TRIGGER account_event_update_refused BEFORE UPDATE ON account_event
BEGIN SELECT RAISE(ABORT, 'append-only: account_event'); END;

--

CREATE TRIGGER account_event_delete_refused BEFORE DELETE ON account_event
BEGIN SELECT RAISE(ABORT, 'append-only: account_event'); END;

--

CREATE TRIGGER account_event_insert_refused BEFORE INSERT ON account_event WHEN EXISTS (SELECT 1 FROM account_event WHERE (id = NEW.id))
BEGIN SELECT RAISE(ABORT, 'append-only: account_event'); END;

--

ALTER TABLE organisation ADD COLUMN ends_on DATE;

--

ALTER TABLE organisation ADD COLUMN successor_id INTEGER CONSTRAINT fk_organisation_successor_id_organisation REFERENCES organisation (id);

--

ALTER TABLE post ADD COLUMN ends_on DATE;

--

CREATE INDEX ix_post_abolished ON post (successor_id) WHERE successor_id IS NOT NULL;

--

CREATE INDEX ix_organisation_closed ON organisation (successor_id) WHERE successor_id IS NOT NULL;

--

CREATE TABLE former_post (
    id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    organisation_id INTEGER NOT NULL,
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
    id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    case_id INTEGER,
    noted_at DATETIME NOT NULL,
    ended_at DATETIME,
    CONSTRAINT pk_vacancy PRIMARY KEY (id),
    CONSTRAINT fk_vacancy_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT uq_vacancy_case_id UNIQUE (case_id),
    CONSTRAINT fk_vacancy_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id)
);

--

CREATE UNIQUE INDEX ux_vacancy_open ON vacancy (post_id) WHERE ended_at IS NULL;

--

CREATE TABLE handover (
    id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    appointment_id INTEGER NOT NULL,
    made_at DATETIME NOT NULL,
    received_at DATETIME,
    received_by INTEGER,
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
    id INTEGER NOT NULL,
    handover_id INTEGER NOT NULL,
    slot_id INTEGER NOT NULL,
    CONSTRAINT pk_handover_item PRIMARY KEY (id),
    CONSTRAINT uq_handover_item_handover_id_slot_id UNIQUE (handover_id, slot_id),
    CONSTRAINT fk_handover_item_handover_id_handover FOREIGN KEY(handover_id) REFERENCES handover (id),
    CONSTRAINT fk_handover_item_slot_id_slot FOREIGN KEY(slot_id) REFERENCES slot (id)
);

--

CREATE TABLE substitution (
    id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    substitute_post_id INTEGER NOT NULL,
    substitute_id INTEGER NOT NULL,
    every_mechanism BOOLEAN NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE NOT NULL,
    reason VARCHAR NOT NULL,
    made_by INTEGER NOT NULL,
    made_as INTEGER NOT NULL,
    made_at DATETIME NOT NULL,
    ended_at DATETIME,
    ended_how VARCHAR(32),
    ended_by INTEGER,
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

CREATE INDEX ix_substitution_substitute ON substitution (substitute_id, ends_on);

--

CREATE INDEX ix_substitution_person ON substitution (person_id, ends_on);

--

CREATE INDEX ix_substitution_post ON substitution (post_id, ends_on);

--

CREATE INDEX ix_substitution_open ON substitution (ends_on) WHERE ended_at IS NULL;

--

CREATE TABLE substitution_mechanism (
    id INTEGER NOT NULL,
    substitution_id INTEGER NOT NULL,
    mechanism VARCHAR NOT NULL,
    CONSTRAINT pk_substitution_mechanism PRIMARY KEY (id),
    CONSTRAINT uq_substitution_mechanism_substitution_id_mechanism UNIQUE (substitution_id, mechanism),
    CONSTRAINT fk_substitution_mechanism_substitution_id_substitution FOREIGN KEY(substitution_id) REFERENCES substitution (id)
);

--

ALTER TABLE decision ADD COLUMN substitution_id INTEGER CONSTRAINT fk_decision_substitution_id_substitution REFERENCES substitution (id);

--

ALTER TABLE message ADD COLUMN substitution_id INTEGER CONSTRAINT fk_message_substitution_id_substitution REFERENCES substitution (id);

--

CREATE INDEX ix_decision_substitution ON decision (substitution_id) WHERE substitution_id IS NOT NULL;

--

CREATE TRIGGER substitution_update_refused BEFORE UPDATE ON substitution WHEN NOT (OLD.ended_at IS NULL) OR NEW.id IS NOT OLD.id OR NEW.post_id IS NOT OLD.post_id OR NEW.person_id IS NOT OLD.person_id OR NEW.substitute_post_id IS NOT OLD.substitute_post_id OR NEW.substitute_id IS NOT OLD.substitute_id OR NEW.every_mechanism IS NOT OLD.every_mechanism OR NEW.starts_on IS NOT OLD.starts_on OR NEW.ends_on IS NOT OLD.ends_on OR NEW.reason IS NOT OLD.reason OR NEW.made_by IS NOT OLD.made_by OR NEW.made_as IS NOT OLD.made_as OR NEW.made_at IS NOT OLD.made_at
BEGIN SELECT RAISE(ABORT, 'append-only: substitution'); END;

--

CREATE TRIGGER substitution_delete_refused BEFORE DELETE ON substitution
BEGIN SELECT RAISE(ABORT, 'append-only: substitution'); END;

--

CREATE TRIGGER substitution_insert_refused BEFORE INSERT ON substitution WHEN EXISTS (SELECT 1 FROM substitution WHERE (id = NEW.id))
BEGIN SELECT RAISE(ABORT, 'append-only: substitution'); END;

--

CREATE TRIGGER substitution_mechanism_update_refused BEFORE UPDATE ON substitution_mechanism
BEGIN SELECT RAISE(ABORT, 'append-only: substitution_mechanism'); END;

--

CREATE TRIGGER substitution_mechanism_delete_refused BEFORE DELETE ON substitution_mechanism
BEGIN SELECT RAISE(ABORT, 'append-only: substitution_mechanism'); END;

--

CREATE TRIGGER substitution_mechanism_insert_refused BEFORE INSERT ON substitution_mechanism WHEN EXISTS (SELECT 1 FROM substitution_mechanism WHERE (id = NEW.id) OR (substitution_id = NEW.substitution_id AND mechanism = NEW.mechanism))
BEGIN SELECT RAISE(ABORT, 'append-only: substitution_mechanism'); END;

--

CREATE TABLE evidence_file (
    id INTEGER NOT NULL,
    sha256 VARCHAR NOT NULL,
    size INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    kept_at DATETIME NOT NULL,
    CONSTRAINT pk_evidence_file PRIMARY KEY (id),
    CONSTRAINT uq_evidence_file_sha256 UNIQUE (sha256),
    CONSTRAINT ck_evidence_file_filekind CHECK (kind IN ('pdf', 'docx', 'doc', 'xlsx', 'xls', 'png', 'jpeg', 'gif', 'webp'))
);

--

CREATE TABLE evidence (
    id INTEGER NOT NULL,
    case_id INTEGER NOT NULL,
    problem_id INTEGER NOT NULL,
    task_id INTEGER,
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
    id INTEGER NOT NULL,
    evidence_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    file_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    note VARCHAR NOT NULL,
    slot_id INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    substitution_id INTEGER,
    at DATETIME NOT NULL,
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

CREATE TRIGGER evidence_version_update_refused BEFORE UPDATE ON evidence_version
BEGIN SELECT RAISE(ABORT, 'append-only: evidence_version'); END;

--

CREATE TRIGGER evidence_version_delete_refused BEFORE DELETE ON evidence_version
BEGIN SELECT RAISE(ABORT, 'append-only: evidence_version'); END;

--

CREATE TRIGGER evidence_version_insert_refused BEFORE INSERT ON evidence_version WHEN EXISTS (SELECT 1 FROM evidence_version WHERE (id = NEW.id) OR (evidence_id = NEW.evidence_id AND number = NEW.number))
BEGIN SELECT RAISE(ABORT, 'append-only: evidence_version'); END;

--

ALTER TABLE person ADD COLUMN code VARCHAR;

--

CREATE UNIQUE INDEX ux_person_code ON person (code);

--

CREATE TABLE batch (
    id INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    state VARCHAR(32) NOT NULL,
    filename VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    data BLOB,
    fingerprint VARCHAR NOT NULL,
    on_day DATE NOT NULL,
    person_id INTEGER,
    organisation_id INTEGER,
    said JSON NOT NULL,
    staged_at DATETIME NOT NULL,
    applied_at DATETIME,
    undone_at DATETIME,
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
    id INTEGER NOT NULL,
    batch_id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    sheet VARCHAR NOT NULL,
    row_number INTEGER NOT NULL,
    act VARCHAR(32) NOT NULL,
    what VARCHAR NOT NULL,
    fields JSON NOT NULL,
    CONSTRAINT pk_batch_line PRIMARY KEY (id),
    CONSTRAINT uq_batch_line_batch_id_n UNIQUE (batch_id, n),
    CONSTRAINT fk_batch_line_batch_id_batch FOREIGN KEY(batch_id) REFERENCES batch (id),
    CONSTRAINT ck_batch_line_lineact CHECK (act IN ('new', 'changed', 'ended', 'unchanged'))
);

--

CREATE TABLE batch_change (
    id INTEGER NOT NULL,
    batch_id INTEGER NOT NULL,
    table_name VARCHAR NOT NULL,
    row_id INTEGER NOT NULL,
    act VARCHAR(32) NOT NULL,
    "before" JSON NOT NULL,
    "after" JSON NOT NULL,
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
    id INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    reason VARCHAR NOT NULL,
    person_id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    substitution_id INTEGER,
    at DATETIME NOT NULL,
    CONSTRAINT pk_evidence_withdrawal PRIMARY KEY (id),
    CONSTRAINT uq_evidence_withdrawal_version_id UNIQUE (version_id),
    CONSTRAINT fk_evidence_withdrawal_version_id_evidence_version FOREIGN KEY(version_id) REFERENCES evidence_version (id),
    CONSTRAINT fk_evidence_withdrawal_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_evidence_withdrawal_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_evidence_withdrawal_substitution_id_substitution FOREIGN KEY(substitution_id) REFERENCES substitution (id)
);

--

CREATE TRIGGER evidence_withdrawal_update_refused BEFORE UPDATE ON evidence_withdrawal
BEGIN SELECT RAISE(ABORT, 'append-only: evidence_withdrawal'); END;

--

CREATE TRIGGER evidence_withdrawal_delete_refused BEFORE DELETE ON evidence_withdrawal
BEGIN SELECT RAISE(ABORT, 'append-only: evidence_withdrawal'); END;

--

CREATE TRIGGER evidence_withdrawal_insert_refused BEFORE INSERT ON evidence_withdrawal WHEN EXISTS (SELECT 1 FROM evidence_withdrawal WHERE (id = NEW.id) OR (version_id = NEW.version_id))
BEGIN SELECT RAISE(ABORT, 'append-only: evidence_withdrawal'); END;

--

CREATE INDEX ix_evidence_version_slot_id ON evidence_version (slot_id);

--

ALTER TABLE installation ADD COLUMN looked_at DATETIME;

--

CREATE TABLE trouble (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    since DATETIME NOT NULL,
    seen_at DATETIME NOT NULL,
    CONSTRAINT pk_trouble PRIMARY KEY (id),
    CONSTRAINT uq_trouble_name UNIQUE (name)
);

--

CREATE TABLE ledger (
    id INTEGER NOT NULL,
    organisation_id INTEGER NOT NULL,
    batch VARCHAR NOT NULL,
    state VARCHAR(32) NOT NULL,
    filename VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    data BLOB,
    fingerprint VARCHAR NOT NULL,
    said JSON NOT NULL,
    person_id INTEGER,
    staged_at DATETIME NOT NULL,
    applied_at DATETIME,
    case_id INTEGER,
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
    id INTEGER NOT NULL,
    ledger_id INTEGER NOT NULL,
    problem_id INTEGER NOT NULL,
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
    id INTEGER NOT NULL,
    task_id INTEGER NOT NULL,
    row_number INTEGER NOT NULL,
    done_on DATE,
    CONSTRAINT pk_ledger_task PRIMARY KEY (id),
    CONSTRAINT uq_ledger_task_task_id UNIQUE (task_id),
    CONSTRAINT fk_ledger_task_task_id_task FOREIGN KEY(task_id) REFERENCES task (id)
);

--

CREATE TABLE extension (
    id INTEGER NOT NULL,
    task_id INTEGER NOT NULL,
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
    id INTEGER NOT NULL,
    unit_id INTEGER NOT NULL,
    what VARCHAR NOT NULL,
    given JSON NOT NULL,
    seen JSON NOT NULL,
    due_on DATE NOT NULL,
    made_by INTEGER NOT NULL,
    made_at DATETIME NOT NULL,
    state VARCHAR(32) NOT NULL,
    ended_at DATETIME,
    ended_by INTEGER,
    outcome JSON,
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
    id INTEGER NOT NULL,
    key_id VARCHAR NOT NULL,
    public VARCHAR NOT NULL,
    endorsed VARCHAR NOT NULL,
    at DATETIME NOT NULL,
    CONSTRAINT pk_seal_key PRIMARY KEY (id),
    CONSTRAINT uq_seal_key_key_id UNIQUE (key_id)
);

--

CREATE TABLE seal (
    id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    root VARCHAR NOT NULL,
    peaks VARCHAR NOT NULL,
    previous VARCHAR NOT NULL,
    at DATETIME NOT NULL,
    algorithm VARCHAR NOT NULL,
    key_id VARCHAR NOT NULL,
    signature VARCHAR NOT NULL,
    entries INTEGER NOT NULL,
    CONSTRAINT pk_seal PRIMARY KEY (id),
    CONSTRAINT uq_seal_number UNIQUE (number)
);

--

CREATE TABLE seal_leaf (
    id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    stream VARCHAR NOT NULL,
    n INTEGER NOT NULL,
    hash VARCHAR NOT NULL,
    CONSTRAINT pk_seal_leaf PRIMARY KEY (id),
    CONSTRAINT uq_seal_leaf_stream_n UNIQUE (stream, n),
    CONSTRAINT uq_seal_leaf_place UNIQUE (place)
);

--

CREATE TRIGGER seal_update_refused BEFORE UPDATE ON seal
BEGIN SELECT RAISE(ABORT, 'append-only: seal'); END;

--

CREATE TRIGGER seal_delete_refused BEFORE DELETE ON seal
BEGIN SELECT RAISE(ABORT, 'append-only: seal'); END;

--

CREATE TRIGGER seal_insert_refused BEFORE INSERT ON seal WHEN EXISTS (SELECT 1 FROM seal WHERE (id = NEW.id) OR (number = NEW.number))
BEGIN SELECT RAISE(ABORT, 'append-only: seal'); END;

--

CREATE TRIGGER seal_leaf_update_refused BEFORE UPDATE ON seal_leaf
BEGIN SELECT RAISE(ABORT, 'append-only: seal_leaf'); END;

--

CREATE TRIGGER seal_leaf_delete_refused BEFORE DELETE ON seal_leaf
BEGIN SELECT RAISE(ABORT, 'append-only: seal_leaf'); END;

--

CREATE TRIGGER seal_leaf_insert_refused BEFORE INSERT ON seal_leaf WHEN EXISTS (SELECT 1 FROM seal_leaf WHERE (id = NEW.id) OR (place = NEW.place) OR (stream = NEW.stream AND n = NEW.n))
BEGIN SELECT RAISE(ABORT, 'append-only: seal_leaf'); END;

--

CREATE TRIGGER seal_key_update_refused BEFORE UPDATE ON seal_key
BEGIN SELECT RAISE(ABORT, 'append-only: seal_key'); END;

--

CREATE TRIGGER seal_key_delete_refused BEFORE DELETE ON seal_key
BEGIN SELECT RAISE(ABORT, 'append-only: seal_key'); END;

--

CREATE TRIGGER seal_key_insert_refused BEFORE INSERT ON seal_key WHEN EXISTS (SELECT 1 FROM seal_key WHERE (id = NEW.id) OR (key_id = NEW.key_id))
BEGIN SELECT RAISE(ABORT, 'append-only: seal_key'); END;

--

ALTER TABLE step ADD COLUMN turns JSON;
