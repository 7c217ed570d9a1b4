CREATE TABLE audit_head (
    id BIGSERIAL NOT NULL,
    stream VARCHAR NOT NULL,
    n INTEGER NOT NULL,
    hash VARCHAR NOT NULL,
    CONSTRAINT pk_audit_head PRIMARY KEY (id),
    CONSTRAINT uq_audit_head_stream UNIQUE (stream)
);

--

CREATE TABLE calendar_version (
    id BIGSERIAL NOT NULL,
    horizon DATE NOT NULL,
    source VARCHAR NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_calendar_version PRIMARY KEY (id)
);

--

CREATE TABLE policy_version (
    id BIGSERIAL NOT NULL,
    digest VARCHAR NOT NULL,
    body JSONB NOT NULL,
    CONSTRAINT pk_policy_version PRIMARY KEY (id),
    CONSTRAINT uq_policy_version_digest UNIQUE (digest)
);

--

CREATE TABLE number_series (
    id BIGSERIAL NOT NULL,
    series VARCHAR NOT NULL,
    year INTEGER NOT NULL,
    last INTEGER NOT NULL,
    CONSTRAINT pk_number_series PRIMARY KEY (id),
    CONSTRAINT uq_number_series_series_year UNIQUE (series, year)
);

--

CREATE TABLE organisation (
    id BIGSERIAL NOT NULL,
    code VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    short_name VARCHAR NOT NULL,
    level VARCHAR(32) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    parent_id BIGINT,
    path VARCHAR NOT NULL,
    CONSTRAINT pk_organisation PRIMARY KEY (id),
    CONSTRAINT uq_organisation_code UNIQUE (code),
    CONSTRAINT ck_organisation_level CHECK (level IN ('中央', '市', '区', '街镇', '居村', '企事业')),
    CONSTRAINT ck_organisation_organisationkind CHECK (kind IN ('党委', '党组', '纪委', '派驻机构', '组织部', '宣传部', '巡察办', '党委办', '领导小组', '工作机关', '企事业党组织')),
    CONSTRAINT fk_organisation_parent_id_organisation FOREIGN KEY(parent_id) REFERENCES organisation (id)
);

--

CREATE TABLE person (
    id BIGSERIAL NOT NULL,
    name VARCHAR NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (id)
);

--

CREATE TABLE account (
    id BIGSERIAL NOT NULL,
    login VARCHAR NOT NULL,
    person_id BIGINT NOT NULL,
    password VARCHAR,
    disabled BOOLEAN NOT NULL,
    CONSTRAINT pk_account PRIMARY KEY (id),
    CONSTRAINT uq_account_login UNIQUE (login),
    CONSTRAINT fk_account_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);

--

CREATE TABLE command (
    id BIGSERIAL NOT NULL,
    key VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    person_id BIGINT,
    body_hash VARCHAR NOT NULL,
    result JSONB,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_command PRIMARY KEY (id),
    CONSTRAINT uq_command_key UNIQUE (key),
    CONSTRAINT fk_command_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);

--

CREATE TABLE calendar_day (
    id BIGSERIAL NOT NULL,
    version_id BIGINT NOT NULL,
    day DATE NOT NULL,
    working BOOLEAN NOT NULL,
    name VARCHAR NOT NULL,
    CONSTRAINT pk_calendar_day PRIMARY KEY (id),
    CONSTRAINT uq_calendar_day_version_id_day UNIQUE (version_id, day),
    CONSTRAINT fk_calendar_day_version_id_calendar_version FOREIGN KEY(version_id) REFERENCES calendar_version (id)
);

--

CREATE TABLE "case" (
    id BIGSERIAL NOT NULL,
    number VARCHAR NOT NULL,
    mechanism VARCHAR NOT NULL,
    edition INTEGER NOT NULL,
    organisation_id BIGINT NOT NULL,
    policy_id BIGINT NOT NULL,
    state VARCHAR(32) NOT NULL,
    urgent BOOLEAN NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR,
    mirrored VARCHAR,
    mirrored_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_case PRIMARY KEY (id),
    CONSTRAINT uq_case_number UNIQUE (number),
    CONSTRAINT fk_case_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id),
    CONSTRAINT fk_case_policy_id_policy_version FOREIGN KEY(policy_id) REFERENCES policy_version (id),
    CONSTRAINT ck_case_casestate CHECK (state IN ('open', 'ended', 'terminated'))
);

--

CREATE TABLE channel (
    id BIGSERIAL NOT NULL,
    person_id BIGINT NOT NULL,
    url VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    inside BOOLEAN NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    refused_at TIMESTAMP WITH TIME ZONE,
    code VARCHAR,
    code_until TIMESTAMP WITH TIME ZONE,
    code_tries INTEGER NOT NULL,
    CONSTRAINT pk_channel PRIMARY KEY (id),
    CONSTRAINT fk_channel_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);

--

CREATE TABLE relation (
    id BIGSERIAL NOT NULL,
    kind VARCHAR(32) NOT NULL,
    organ_id BIGINT NOT NULL,
    served_id BIGINT NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE,
    CONSTRAINT pk_relation PRIMARY KEY (id),
    CONSTRAINT ck_relation_relationkind CHECK (kind IN ('discipline', 'superior_discipline', 'organisation_dept', 'publicity_dept', 'inspection_office', 'party_office', 'leading_group')),
    CONSTRAINT fk_relation_organ_id_organisation FOREIGN KEY(organ_id) REFERENCES organisation (id),
    CONSTRAINT fk_relation_served_id_organisation FOREIGN KEY(served_id) REFERENCES organisation (id)
);

--

CREATE TABLE post (
    id BIGSERIAL NOT NULL,
    organisation_id BIGINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    title VARCHAR NOT NULL,
    rank INTEGER NOT NULL,
    successor_id BIGINT,
    CONSTRAINT pk_post PRIMARY KEY (id),
    CONSTRAINT uq_post_organisation_id_title UNIQUE (organisation_id, title),
    CONSTRAINT fk_post_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id),
    CONSTRAINT ck_post_postkind CHECK (kind IN ('secretary', 'member', 'head', 'clerk', 'operator')),
    CONSTRAINT fk_post_successor_id_post FOREIGN KEY(successor_id) REFERENCES post (id)
);

--

CREATE TABLE session (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    token_hash VARCHAR NOT NULL,
    csrf VARCHAR NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_session PRIMARY KEY (id),
    CONSTRAINT fk_session_account_id_account FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT uq_session_token_hash UNIQUE (token_hash)
);

--

CREATE TABLE audit (
    id BIGSERIAL NOT NULL,
    stream VARCHAR NOT NULL,
    n INTEGER NOT NULL,
    prev VARCHAR NOT NULL,
    hash VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    command_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (id),
    CONSTRAINT uq_audit_stream_n UNIQUE (stream, n),
    CONSTRAINT fk_audit_command_id_command FOREIGN KEY(command_id) REFERENCES command (id)
);

--

CREATE TABLE branch (
    id BIGSERIAL NOT NULL,
    case_id BIGINT NOT NULL,
    parent_id BIGINT,
    fanout_id BIGINT,
    script VARCHAR NOT NULL,
    row_kind VARCHAR NOT NULL,
    row_id BIGINT,
    state VARCHAR(32) NOT NULL,
    seq INTEGER NOT NULL,
    error VARCHAR,
    failures INTEGER NOT NULL,
    audit_n INTEGER NOT NULL,
    audit_hash VARCHAR NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_branch PRIMARY KEY (id),
    CONSTRAINT uq_branch_fanout_id_row_id UNIQUE (fanout_id, row_id),
    CONSTRAINT fk_branch_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_branch_parent_id_branch FOREIGN KEY(parent_id) REFERENCES branch (id),
    CONSTRAINT ck_branch_branchstate CHECK (state IN ('open', 'ended', 'voided'))
);

--

CREATE TABLE run_wake (
    id BIGSERIAL NOT NULL,
    case_id BIGINT NOT NULL,
    try_at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER NOT NULL,
    CONSTRAINT pk_run_wake PRIMARY KEY (id),
    CONSTRAINT fk_run_wake_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id)
);

--

CREATE TABLE appointment (
    id BIGSERIAL NOT NULL,
    post_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE,
    CONSTRAINT pk_appointment PRIMARY KEY (id),
    CONSTRAINT fk_appointment_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_appointment_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);

--

CREATE TABLE portfolio (
    id BIGSERIAL NOT NULL,
    post_id BIGINT NOT NULL,
    unit_id BIGINT,
    area INTEGER,
    starts_on DATE NOT NULL,
    ends_on DATE,
    CONSTRAINT pk_portfolio PRIMARY KEY (id),
    CONSTRAINT fk_portfolio_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_portfolio_unit_id_organisation FOREIGN KEY(unit_id) REFERENCES organisation (id)
);

--

CREATE TABLE problem (
    id BIGSERIAL NOT NULL,
    organisation_id BIGINT NOT NULL,
    batch VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    category VARCHAR NOT NULL,
    area INTEGER NOT NULL,
    text VARCHAR NOT NULL,
    state VARCHAR(32) NOT NULL,
    case_id BIGINT,
    sets_topic_post_id BIGINT,
    takes_topic_post_id BIGINT,
    responsible_unit_id BIGINT,
    supervisor_post_id BIGINT,
    CONSTRAINT pk_problem PRIMARY KEY (id),
    CONSTRAINT uq_problem_organisation_id_batch_number UNIQUE (organisation_id, batch, number),
    CONSTRAINT fk_problem_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id),
    CONSTRAINT ck_problem_problemstate CHECK (state IN ('open', 'closed', 'long_term')),
    CONSTRAINT fk_problem_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_problem_sets_topic_post_id_post FOREIGN KEY(sets_topic_post_id) REFERENCES post (id),
    CONSTRAINT fk_problem_takes_topic_post_id_post FOREIGN KEY(takes_topic_post_id) REFERENCES post (id),
    CONSTRAINT fk_problem_responsible_unit_id_organisation FOREIGN KEY(responsible_unit_id) REFERENCES organisation (id),
    CONSTRAINT fk_problem_supervisor_post_id_post FOREIGN KEY(supervisor_post_id) REFERENCES post (id)
);

--

CREATE TABLE fanout (
    id BIGSERIAL NOT NULL,
    branch_id BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ended BOOLEAN NOT NULL,
    voided BOOLEAN NOT NULL,
    on_return VARCHAR,
    CONSTRAINT pk_fanout PRIMARY KEY (id),
    CONSTRAINT uq_fanout_branch_id_key_round UNIQUE (branch_id, key, round),
    CONSTRAINT fk_fanout_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id)
);

--

CREATE TABLE step (
    id BIGSERIAL NOT NULL,
    case_id BIGINT NOT NULL,
    branch_id BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    origin VARCHAR(32) NOT NULL,
    mode VARCHAR NOT NULL,
    answers JSONB NOT NULL,
    form VARCHAR NOT NULL,
    apart_from JSONB NOT NULL,
    state VARCHAR(32) NOT NULL,
    answer VARCHAR,
    voided BOOLEAN NOT NULL,
    due_key VARCHAR NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    original_due_at TIMESTAMP WITH TIME ZONE,
    provisional_due_at TIMESTAMP WITH TIME ZONE,
    provisional BOOLEAN NOT NULL,
    deadline_version INTEGER NOT NULL,
    calendar_id BIGINT,
    ladder VARCHAR NOT NULL,
    rungs_fired INTEGER NOT NULL,
    next_rung_at TIMESTAMP WITH TIME ZONE,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_step PRIMARY KEY (id),
    CONSTRAINT uq_step_branch_id_key_round UNIQUE (branch_id, key, round),
    CONSTRAINT fk_step_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_step_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id),
    CONSTRAINT ck_step_origin CHECK (origin IN ('script', 'rung', 'operator')),
    CONSTRAINT ck_step_stepstate CHECK (state IN ('open', 'decided', 'voided', 'closed')),
    CONSTRAINT fk_step_calendar_id_calendar_version FOREIGN KEY(calendar_id) REFERENCES calendar_version (id)
);

--

CREATE TABLE fact (
    id BIGSERIAL NOT NULL,
    branch_id BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    value JSONB,
    on_return VARCHAR,
    voided BOOLEAN NOT NULL,
    CONSTRAINT pk_fact PRIMARY KEY (id),
    CONSTRAINT uq_fact_branch_id_kind_key_round UNIQUE (branch_id, kind, key, round),
    CONSTRAINT fk_fact_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id)
);

--

CREATE TABLE effect (
    id BIGSERIAL NOT NULL,
    case_id BIGINT NOT NULL,
    branch_id BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    state VARCHAR(32) NOT NULL,
    on_return VARCHAR,
    voided BOOLEAN NOT NULL,
    undoes VARCHAR,
    result JSONB,
    resolution VARCHAR,
    attempts INTEGER NOT NULL,
    error VARCHAR NOT NULL,
    queued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE,
    done_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_effect PRIMARY KEY (id),
    CONSTRAINT uq_effect_branch_id_key_round UNIQUE (branch_id, key, round),
    CONSTRAINT fk_effect_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_effect_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id),
    CONSTRAINT ck_effect_effectstate CHECK (state IN ('queued', 'claimed', 'done', 'failed', 'withdrawn'))
);

--

CREATE TABLE wake (
    id BIGSERIAL NOT NULL,
    branch_id BIGINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    subject_id BIGINT,
    try_at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER NOT NULL,
    CONSTRAINT pk_wake PRIMARY KEY (id),
    CONSTRAINT fk_wake_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id),
    CONSTRAINT ck_wake_wakekind CHECK (kind IN ('advance', 'raise', 'strike'))
);

--

CREATE TABLE manifestation (
    id BIGSERIAL NOT NULL,
    problem_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    text VARCHAR NOT NULL,
    CONSTRAINT pk_manifestation PRIMARY KEY (id),
    CONSTRAINT uq_manifestation_problem_id_number UNIQUE (problem_id, number),
    CONSTRAINT fk_manifestation_problem_id_problem FOREIGN KEY(problem_id) REFERENCES problem (id)
);

--

CREATE TABLE task (
    id BIGSERIAL NOT NULL,
    problem_id BIGINT NOT NULL,
    number VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    standard VARCHAR NOT NULL,
    leader_post_id BIGINT NOT NULL,
    lead_unit_id BIGINT NOT NULL,
    due_on DATE NOT NULL,
    original_due_on DATE,
    long_term BOOLEAN NOT NULL,
    state VARCHAR(32) NOT NULL,
    CONSTRAINT pk_task PRIMARY KEY (id),
    CONSTRAINT uq_task_problem_id_number UNIQUE (problem_id, number),
    CONSTRAINT fk_task_problem_id_problem FOREIGN KEY(problem_id) REFERENCES problem (id),
    CONSTRAINT fk_task_leader_post_id_post FOREIGN KEY(leader_post_id) REFERENCES post (id),
    CONSTRAINT fk_task_lead_unit_id_organisation FOREIGN KEY(lead_unit_id) REFERENCES organisation (id),
    CONSTRAINT ck_task_taskstate CHECK (state IN ('draft', 'published', 'confirmed'))
);

--

CREATE TABLE slot (
    id BIGSERIAL NOT NULL,
    step_id BIGINT NOT NULL,
    branch_id BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    position INTEGER NOT NULL,
    state VARCHAR(32) NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_slot PRIMARY KEY (id),
    CONSTRAINT uq_slot_step_id_post_id UNIQUE (step_id, post_id),
    CONSTRAINT fk_slot_step_id_step FOREIGN KEY(step_id) REFERENCES step (id),
    CONSTRAINT fk_slot_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id),
    CONSTRAINT fk_slot_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT ck_slot_slotstate CHECK (state IN ('open', 'answered', 'unreached', 'voided'))
);

--

CREATE TABLE message (
    id BIGSERIAL NOT NULL,
    key VARCHAR NOT NULL,
    post_id BIGINT,
    person_id BIGINT NOT NULL,
    template VARCHAR NOT NULL,
    context JSONB NOT NULL,
    case_id BIGINT,
    step_id BIGINT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    send_after TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_message PRIMARY KEY (id),
    CONSTRAINT uq_message_key UNIQUE (key),
    CONSTRAINT fk_message_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_message_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_message_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_message_step_id_step FOREIGN KEY(step_id) REFERENCES step (id)
);

--

CREATE TABLE manifestation_unit (
    id BIGSERIAL NOT NULL,
    manifestation_id BIGINT NOT NULL,
    unit_id BIGINT,
    name VARCHAR NOT NULL,
    CONSTRAINT pk_manifestation_unit PRIMARY KEY (id),
    CONSTRAINT uq_manifestation_unit_manifestation_id_name UNIQUE (manifestation_id, name),
    CONSTRAINT fk_manifestation_unit_manifestation_id_manifestation FOREIGN KEY(manifestation_id) REFERENCES manifestation (id),
    CONSTRAINT fk_manifestation_unit_unit_id_organisation FOREIGN KEY(unit_id) REFERENCES organisation (id)
);

--

CREATE TABLE task_support (
    id BIGSERIAL NOT NULL,
    task_id BIGINT NOT NULL,
    unit_id BIGINT,
    name VARCHAR NOT NULL,
    CONSTRAINT pk_task_support PRIMARY KEY (id),
    CONSTRAINT uq_task_support_task_id_name UNIQUE (task_id, name),
    CONSTRAINT fk_task_support_task_id_task FOREIGN KEY(task_id) REFERENCES task (id),
    CONSTRAINT fk_task_support_unit_id_organisation FOREIGN KEY(unit_id) REFERENCES organisation (id)
);

--

CREATE TABLE decision (
    id BIGSERIAL NOT NULL,
    key VARCHAR NOT NULL,
    slot_id BIGINT NOT NULL,
    step_id BIGINT NOT NULL,
    branch_id BIGINT NOT NULL,
    case_id BIGINT NOT NULL,
    answer VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    payload JSONB,
    back_to VARCHAR,
    late BOOLEAN NOT NULL,
    person_id BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    appointment_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_decision PRIMARY KEY (id),
    CONSTRAINT uq_decision_key UNIQUE (key),
    CONSTRAINT uq_decision_slot_id UNIQUE (slot_id),
    CONSTRAINT fk_decision_slot_id_slot FOREIGN KEY(slot_id) REFERENCES slot (id),
    CONSTRAINT fk_decision_step_id_step FOREIGN KEY(step_id) REFERENCES step (id),
    CONSTRAINT fk_decision_branch_id_branch FOREIGN KEY(branch_id) REFERENCES branch (id),
    CONSTRAINT fk_decision_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id),
    CONSTRAINT fk_decision_person_id_person FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_decision_post_id_post FOREIGN KEY(post_id) REFERENCES post (id),
    CONSTRAINT fk_decision_appointment_id_appointment FOREIGN KEY(appointment_id) REFERENCES appointment (id)
);

--

CREATE TABLE rung (
    id BIGSERIAL NOT NULL,
    step_id BIGINT NOT NULL,
    slot_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    deadline_version INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    post_id BIGINT,
    passed_over JSONB,
    note VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_rung PRIMARY KEY (id),
    CONSTRAINT uq_rung_slot_id_number_deadline_version UNIQUE (slot_id, number, deadline_version),
    CONSTRAINT fk_rung_step_id_step FOREIGN KEY(step_id) REFERENCES step (id),
    CONSTRAINT fk_rung_slot_id_slot FOREIGN KEY(slot_id) REFERENCES slot (id),
    CONSTRAINT fk_rung_post_id_post FOREIGN KEY(post_id) REFERENCES post (id)
);

--

CREATE TABLE delivery (
    id BIGSERIAL NOT NULL,
    message_id BIGINT NOT NULL,
    channel_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    state VARCHAR(32) NOT NULL,
    detail VARCHAR NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_delivery PRIMARY KEY (id),
    CONSTRAINT uq_delivery_message_id_channel_id_attempt UNIQUE (message_id, channel_id, attempt),
    CONSTRAINT fk_delivery_message_id_message FOREIGN KEY(message_id) REFERENCES message (id),
    CONSTRAINT fk_delivery_channel_id_channel FOREIGN KEY(channel_id) REFERENCES channel (id),
    CONSTRAINT ck_delivery_deliverystate CHECK (state IN ('claimed', 'sent', 'refused', 'unknown'))
);

--

CREATE TABLE duty_member (
    id BIGSERIAL NOT NULL,
    step_id BIGINT NOT NULL,
    rung_id BIGINT NOT NULL,
    struck_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_duty_member PRIMARY KEY (id),
    CONSTRAINT uq_duty_member_step_id_rung_id UNIQUE (step_id, rung_id),
    CONSTRAINT fk_duty_member_step_id_step FOREIGN KEY(step_id) REFERENCES step (id),
    CONSTRAINT fk_duty_member_rung_id_rung FOREIGN KEY(rung_id) REFERENCES rung (id)
);

--

ALTER TABLE branch ADD CONSTRAINT fk_branch_fanout_id_fanout FOREIGN KEY(fanout_id) REFERENCES fanout (id);

--

CREATE INDEX ix_account_person_id ON account (person_id);

--

CREATE INDEX ix_appointment_person ON appointment (person_id, starts_on);

--

CREATE INDEX ix_appointment_post ON appointment (post_id, starts_on);

--

CREATE INDEX ix_audit_command_id ON audit (command_id);

--

CREATE INDEX ix_branch_case ON branch (case_id);

--

CREATE INDEX ix_branch_parent ON branch (parent_id, state);

--

CREATE INDEX ix_case_open ON "case" (state, organisation_id);

--

CREATE INDEX ix_case_run_id ON "case" (run_id);

--

CREATE INDEX ix_channel_person_id ON channel (person_id);

--

CREATE INDEX ix_decision_branch ON decision (branch_id);

--

CREATE INDEX ix_decision_person ON decision (person_id, at);

--

CREATE INDEX ix_decision_step_id ON decision (step_id);

--

CREATE INDEX ix_delivery_channel ON delivery (channel_id, started_at);

--

CREATE INDEX ix_delivery_claimed ON delivery (started_at) WHERE state = 'claimed';

--

CREATE INDEX ix_duty_member_rung_id ON duty_member (rung_id);

--

CREATE INDEX ix_effect_pending ON effect (case_id) WHERE state IN ('queued', 'claimed');

--

CREATE INDEX ix_message_person ON message (person_id, read_at);

--

CREATE INDEX ix_message_send ON message (send_after);

--

CREATE INDEX ix_message_step_id ON message (step_id);

--

CREATE INDEX ix_organisation_parent_id ON organisation (parent_id);

--

CREATE INDEX ix_organisation_path ON organisation (path);

--

CREATE INDEX ix_portfolio_post_id ON portfolio (post_id);

--

CREATE INDEX ix_portfolio_unit ON portfolio (unit_id, area);

--

CREATE INDEX ix_post_organisation_id ON post (organisation_id);

--

CREATE INDEX ix_problem_case_id ON problem (case_id);

--

CREATE INDEX ix_problem_organisation_id ON problem (organisation_id);

--

CREATE INDEX ix_relation_served_kind ON relation (served_id, kind);

--

CREATE INDEX ix_run_wake_case_id ON run_wake (case_id);

--

CREATE INDEX ix_run_wake_try ON run_wake (try_at);

--

CREATE INDEX ix_rung_step_id ON rung (step_id);

--

CREATE INDEX ix_session_account_id ON session (account_id);

--

CREATE INDEX ix_slot_post_open ON slot (post_id) WHERE state = 'open';

--

CREATE INDEX ix_slot_step_id ON slot (step_id);

--

CREATE INDEX ix_step_case ON step (case_id);

--

CREATE INDEX ix_step_closed ON step (closed_at);

--

CREATE INDEX ix_step_opened ON step (opened_at);

--

CREATE INDEX ix_step_provisional ON step (calendar_id) WHERE provisional AND state = 'open';

--

CREATE INDEX ix_step_rung ON step (next_rung_at) WHERE next_rung_at IS NOT NULL;

--

CREATE INDEX ix_task_problem_id ON task (problem_id);

--

CREATE INDEX ix_wake_branch_id ON wake (branch_id);

--

CREATE INDEX ix_wake_try ON wake (try_at);

--

CREATE FUNCTION fourduties_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = 'append-only: ' || TG_TABLE_NAME, ERRCODE = 'integrity_constraint_violation';
END $$;

--

CREATE TRIGGER decision_update_refused BEFORE UPDATE ON decision FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER decision_delete_refused BEFORE DELETE ON decision FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER decision_truncate_refused BEFORE TRUNCATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER audit_update_refused BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER audit_delete_refused BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER audit_truncate_refused BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER delivery_update_refused BEFORE UPDATE ON delivery FOR EACH ROW WHEN (NOT (OLD.state = 'claimed') OR NEW.id IS DISTINCT FROM OLD.id OR NEW.message_id IS DISTINCT FROM OLD.message_id OR NEW.channel_id IS DISTINCT FROM OLD.channel_id OR NEW.attempt IS DISTINCT FROM OLD.attempt OR NEW.started_at IS DISTINCT FROM OLD.started_at) EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER delivery_delete_refused BEFORE DELETE ON delivery FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER delivery_truncate_refused BEFORE TRUNCATE ON delivery FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER policy_version_update_refused BEFORE UPDATE ON policy_version FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER policy_version_delete_refused BEFORE DELETE ON policy_version FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER policy_version_truncate_refused BEFORE TRUNCATE ON policy_version FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER calendar_version_update_refused BEFORE UPDATE ON calendar_version FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER calendar_version_delete_refused BEFORE DELETE ON calendar_version FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER calendar_version_truncate_refused BEFORE TRUNCATE ON calendar_version FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER calendar_day_update_refused BEFORE UPDATE ON calendar_day FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER calendar_day_delete_refused BEFORE DELETE ON calendar_day FOR EACH ROW EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER calendar_day_truncate_refused BEFORE TRUNCATE ON calendar_day FOR EACH STATEMENT EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER step_original_due_at_frozen BEFORE UPDATE OF original_due_at ON step FOR EACH ROW
WHEN (OLD.original_due_at IS NOT NULL AND NEW.original_due_at IS DISTINCT FROM OLD.original_due_at)
EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER task_original_due_on_frozen BEFORE UPDATE OF original_due_on ON task FOR EACH ROW
WHEN (OLD.original_due_on IS NOT NULL AND NEW.original_due_on IS DISTINCT FROM OLD.original_due_on)
EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER problem_text_frozen BEFORE UPDATE OF text ON problem FOR EACH ROW
WHEN (OLD.text IS NOT NULL AND NEW.text IS DISTINCT FROM OLD.text)
EXECUTE FUNCTION fourduties_refuse();

--

CREATE TRIGGER manifestation_text_frozen BEFORE UPDATE OF text ON manifestation FOR EACH ROW
WHEN (OLD.text IS NOT NULL AND NEW.text IS DISTINCT FROM OLD.text)
EXECUTE FUNCTION fourduties_refuse();
