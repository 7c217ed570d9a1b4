CREATE TABLE pause (
    id INTEGER NOT NULL,
    case_id INTEGER NOT NULL,
    branch_id INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    reason VARCHAR NOT NULL,
    review_on DATE NOT NULL,
    person_id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    appointment_id INTEGER NOT NULL,
    at DATETIME NOT NULL,
    asked_at DATETIME,
    ended_at DATETIME,
    ended_by INTEGER,
    ended_as INTEGER,
    end_reason VARCHAR NOT NULL,
    CONSTRAINT pk_pause PRIMARY KEY (id),
    CONSTRAINT fk_pause_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_pause_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id),
    CONSTRAINT ck_pause_pausekind CHECK (kind IN ('appeal', 'reorganisation')),
    CONSTRAINT fk_pause_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_pause_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_pause_appointment_id_appointment FOREIGN KEY(appointment_id) REFERENCES appointment (id),
    CONSTRAINT fk_pause_ended_by_person FOREIGN KEY(ended_by) REFERENCES person (id),
    CONSTRAINT fk_pause_ended_as_post FOREIGN KEY(ended_as) REFERENCES post (id)
);

--

CREATE INDEX ix_pause_branch ON pause (branch_id);

--

CREATE UNIQUE INDEX ix_pause_live ON pause (branch_id) WHERE ended_at IS NULL;

--

CREATE INDEX ix_pause_case ON pause (case_id);

--

CREATE TABLE standstill (
    id INTEGER NOT NULL,
    step_id INTEGER NOT NULL,
    pause_id INTEGER NOT NULL,
    deadline_version INTEGER NOT NULL,
    unit VARCHAR(32) NOT NULL,
    since DATE NOT NULL,
    until DATE NOT NULL,
    days INTEGER NOT NULL,
    stood INTEGER NOT NULL,
    due_on DATE NOT NULL,
    CONSTRAINT pk_standstill PRIMARY KEY (id),
    CONSTRAINT fk_standstill_step_id_step FOREIGN KEY(step_id) REFERENCES step (id),
    CONSTRAINT fk_standstill_pause_id_pause FOREIGN KEY(pause_id) REFERENCES pause (id),
    CONSTRAINT ck_standstill_durationkind CHECK (unit IN ('wd', 'days', 'months', 'fixed', 'row'))
);

--

CREATE INDEX ix_standstill_step ON standstill (step_id);

--

CREATE INDEX ix_standstill_pause ON standstill (pause_id);

--

CREATE TRIGGER pause_update_refused BEFORE UPDATE ON pause WHEN NOT (OLD.ended_at IS NULL) OR NEW.id IS NOT OLD.id OR NEW.case_id IS NOT OLD.case_id OR NEW.branch_id IS NOT OLD.branch_id OR NEW.kind IS NOT OLD.kind OR NEW.reason IS NOT OLD.reason OR NEW.review_on IS NOT OLD.review_on OR NEW.person_id IS NOT OLD.person_id OR NEW.post_id IS NOT OLD.post_id OR NEW.appointment_id IS NOT OLD.appointment_id OR NEW.at IS NOT OLD.at
BEGIN SELECT RAISE(ABORT, 'append-only: pause'); END;

--

CREATE TRIGGER pause_delete_refused BEFORE DELETE ON pause
BEGIN SELECT RAISE(ABORT, 'append-only: pause'); END;

--

CREATE TRIGGER pause_insert_refused BEFORE INSERT ON pause WHEN EXISTS (SELECT 1 FROM pause WHERE (id = NEW.id))
BEGIN SELECT RAISE(ABORT, 'append-only: pause'); END;

--

CREATE TRIGGER standstill_update_refused BEFORE UPDATE ON standstill
BEGIN SELECT RAISE(ABORT, 'append-only: standstill'); END;

--

CREATE TRIGGER standstill_delete_refused BEFORE DELETE ON standstill
BEGIN SELECT RAISE(ABORT, 'append-only: standstill'); END;

--

CREATE TRIGGER standstill_insert_refused BEFORE INSERT ON standstill WHEN EXISTS (SELECT 1 FROM standstill WHERE (id = NEW.id))
BEGIN SELECT RAISE(ABORT, 'append-only: standstill'); END;

--

ALTER TABLE branch ADD COLUMN paused_by INTEGER;

--

ALTER TABLE step ADD COLUMN paused_at DATETIME;

--

CREATE TABLE act (
    id INTEGER NOT NULL,
    "key" VARCHAR NOT NULL,
    act VARCHAR(32) NOT NULL,
    relation VARCHAR(32) NOT NULL,
    case_id INTEGER NOT NULL,
    branch_id INTEGER NOT NULL,
    step_id INTEGER NOT NULL,
    slot_id INTEGER NOT NULL,
    deadline_version INTEGER NOT NULL,
    reason VARCHAR NOT NULL,
    given JSON NOT NULL,
    person_id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    appointment_id INTEGER NOT NULL,
    substitution_id INTEGER,
    at DATETIME NOT NULL,
    CONSTRAINT pk_act PRIMARY KEY (id),
    CONSTRAINT uq_act_key UNIQUE ("key"),
    CONSTRAINT ck_act_act CHECK (act IN ('transfer', 'take_over', 'urge', 'withdraw', 'correct', 'extend', 'add_approver', 'remove_approver', 'delegate', 'end_delegation', 'record')),
    CONSTRAINT ck_act_relation CHECK (relation IN ('asked', 'superior', 'office', 'decider', 'recorder')),
    CONSTRAINT fk_act_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_act_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id),
    CONSTRAINT fk_act_step_id_step FOREIGN KEY(step_id) REFERENCES step (id),
    CONSTRAINT fk_act_slot_id_slot FOREIGN KEY(slot_id) REFERENCES slot (id),
    CONSTRAINT fk_act_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_act_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_act_appointment_id_appointment FOREIGN KEY(appointment_id) REFERENCES appointment (id),
    CONSTRAINT fk_act_substitution_id_substitution FOREIGN KEY(substitution_id) REFERENCES substitution (id)
);

--

ALTER TABLE problem ADD COLUMN remains VARCHAR DEFAULT '' NOT NULL;

--

ALTER TABLE problem ADD COLUMN measures VARCHAR DEFAULT '' NOT NULL;

--

ALTER TABLE problem ADD COLUMN review_on DATE;

--

CREATE INDEX ix_act_person ON act (person_id, at);

--

CREATE INDEX ix_act_slot ON act (slot_id);

--

CREATE INDEX ix_act_step ON act (step_id);

--

CREATE INDEX ix_act_case ON act (case_id);

--

CREATE INDEX ix_act_branch ON act (branch_id);

--

CREATE INDEX ix_account_event_by_person_id ON account_event (by_person_id);

--

CREATE INDEX ix_act_appointment_id ON act (appointment_id);

--

CREATE INDEX ix_act_post_id ON act (post_id);

--

CREATE INDEX ix_case_ended_as ON "case" (ended_as);

--

CREATE INDEX ix_case_ended_by ON "case" (ended_by);

--

CREATE INDEX ix_case_organisation_id ON "case" (organisation_id);

--

CREATE INDEX ix_command_person_id ON command (person_id);

--

CREATE INDEX ix_decision_appointment_id ON decision (appointment_id);

--

CREATE INDEX ix_decision_post_id ON decision (post_id);

--

CREATE INDEX ix_evidence_version_post_id ON evidence_version (post_id);

--

CREATE INDEX ix_manifestation_unit_unit_id ON manifestation_unit (unit_id);

--

CREATE INDEX ix_message_post_id ON message (post_id);

--

CREATE INDEX ix_problem_responsible_unit_id ON problem (responsible_unit_id);

--

CREATE INDEX ix_problem_sets_topic_post_id ON problem (sets_topic_post_id);

--

CREATE INDEX ix_problem_supervisor_post_id ON problem (supervisor_post_id);

--

CREATE INDEX ix_problem_takes_topic_post_id ON problem (takes_topic_post_id);

--

CREATE INDEX ix_relation_organ_id ON relation (organ_id);

--

CREATE INDEX ix_rung_post_id ON rung (post_id);

--

CREATE INDEX ix_session_post_id ON session (post_id);

--

CREATE INDEX ix_slot_post ON slot (post_id, state);

--

CREATE INDEX ix_task_lead_unit_id ON task (lead_unit_id);

--

CREATE INDEX ix_task_leader_post_id ON task (leader_post_id);

--

CREATE INDEX ix_task_support_unit_id ON task_support (unit_id);

--

CREATE INDEX ix_evidence_version_person_id ON evidence_version (person_id);

--

CREATE INDEX ix_seal_size ON seal (size);

--

CREATE TRIGGER act_update_refused BEFORE UPDATE ON act
BEGIN SELECT RAISE(ABORT, 'append-only: act'); END;

--

CREATE TRIGGER act_delete_refused BEFORE DELETE ON act
BEGIN SELECT RAISE(ABORT, 'append-only: act'); END;

--

CREATE TRIGGER act_insert_refused BEFORE INSERT ON act WHEN EXISTS (SELECT 1 FROM act WHERE (id = NEW.id) OR (key = NEW.key))
BEGIN SELECT RAISE(ABORT, 'append-only: act'); END;

--

CREATE TABLE signed_paper (
    id INTEGER NOT NULL,
    decision_id INTEGER NOT NULL,
    act_id INTEGER NOT NULL,
    file_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    signed_on DATE NOT NULL,
    CONSTRAINT pk_signed_paper PRIMARY KEY (id),
    CONSTRAINT uq_signed_paper_decision_id UNIQUE (decision_id),
    CONSTRAINT fk_signed_paper_decision_id_decision FOREIGN KEY(decision_id) REFERENCES decision (id),
    CONSTRAINT uq_signed_paper_act_id UNIQUE (act_id),
    CONSTRAINT fk_signed_paper_act_id_act FOREIGN KEY(act_id) REFERENCES act (id),
    CONSTRAINT fk_signed_paper_file_id_evidence_file FOREIGN KEY(file_id) REFERENCES evidence_file (id)
);

--

CREATE INDEX ix_signed_paper_file_id ON signed_paper (file_id);

--

CREATE TRIGGER signed_paper_update_refused BEFORE UPDATE ON signed_paper
BEGIN SELECT RAISE(ABORT, 'append-only: signed_paper'); END;

--

CREATE TRIGGER signed_paper_delete_refused BEFORE DELETE ON signed_paper
BEGIN SELECT RAISE(ABORT, 'append-only: signed_paper'); END;

--

CREATE TRIGGER signed_paper_insert_refused BEFORE INSERT ON signed_paper WHEN EXISTS (SELECT 1 FROM signed_paper WHERE (id = NEW.id) OR (decision_id = NEW.decision_id) OR (act_id = NEW.act_id))
BEGIN SELECT RAISE(ABORT, 'append-only: signed_paper'); END;

--

ALTER TABLE slot ADD COLUMN added_to INTEGER CONSTRAINT fk_slot_added_to_slot REFERENCES slot (id);

--

ALTER TABLE slot ADD COLUMN place VARCHAR(32) CONSTRAINT ck_slot_place CHECK (place IN ('before', 'beside', 'after'));

--

ALTER TABLE slot ADD COLUMN turns JSON;

--

CREATE INDEX ix_slot_added ON slot (added_to) WHERE added_to IS NOT NULL;

--

ALTER TABLE substitution ADD COLUMN slot_id INTEGER CONSTRAINT fk_substitution_slot_id_slot REFERENCES slot (id);

--

CREATE INDEX ix_substitution_slot ON substitution (slot_id) WHERE slot_id IS NOT NULL;

--

PRAGMA writable_schema = ON;

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_problem_problemstate CHECK (state IN (''open'', ''closed'', ''long_term''))',
    'CONSTRAINT ck_problem_problemstate CHECK (state IN (''open'', ''closed'', ''basic'', ''long_term''))')
WHERE type = 'table' AND name = 'problem';

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_wake_wakekind CHECK (kind IN (''advance'', ''raise'', ''strike''))',
    'CONSTRAINT ck_wake_wakekind CHECK (kind IN (''advance'', ''date'', ''raise'', ''strike''))')
WHERE type = 'table' AND name = 'wake';

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_slot_slotstate CHECK (state IN (''open'', ''answered'', ''unreached'', ''voided''))',
    'CONSTRAINT ck_slot_slotstate CHECK (state IN (''open'', ''held'', ''answered'', ''unreached'', ''voided'', ''removed''))')
WHERE type = 'table' AND name = 'slot';

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_step_origin CHECK (origin IN (''script'', ''rung'', ''operator''))',
    'CONSTRAINT ck_step_origin CHECK (origin IN (''script'', ''rung'', ''operator'', ''extension''))')
WHERE type = 'table' AND name = 'step';

--

PRAGMA writable_schema = RESET;
