ALTER TABLE step DROP COLUMN paused_at;

--

ALTER TABLE branch DROP COLUMN paused_by;

--

DROP TABLE standstill;

--

DROP TABLE pause;

--

DROP TABLE signed_paper;

--

DROP TABLE act;

--

DROP INDEX ix_account_event_by_person_id;

--

DROP INDEX ix_case_ended_as;

--

DROP INDEX ix_case_ended_by;

--

DROP INDEX ix_case_organisation_id;

--

DROP INDEX ix_command_person_id;

--

DROP INDEX ix_decision_appointment_id;

--

DROP INDEX ix_decision_post_id;

--

DROP INDEX ix_evidence_version_post_id;

--

DROP INDEX ix_manifestation_unit_unit_id;

--

DROP INDEX ix_message_post_id;

--

DROP INDEX ix_problem_responsible_unit_id;

--

DROP INDEX ix_problem_sets_topic_post_id;

--

DROP INDEX ix_problem_supervisor_post_id;

--

DROP INDEX ix_problem_takes_topic_post_id;

--

DROP INDEX ix_relation_organ_id;

--

DROP INDEX ix_rung_post_id;

--

DROP INDEX ix_session_post_id;

--

DROP INDEX ix_slot_post;

--

DROP INDEX ix_task_lead_unit_id;

--

DROP INDEX ix_task_leader_post_id;

--

DROP INDEX ix_task_support_unit_id;

--

DROP INDEX ix_seal_size;

--

DROP INDEX ix_evidence_version_person_id;

--

UPDATE problem SET state = 'long_term' WHERE state = 'basic';

--

UPDATE wake SET kind = 'advance' WHERE kind = 'date';

--

ALTER TABLE problem DROP COLUMN review_on;

--

ALTER TABLE problem DROP COLUMN measures;

--

ALTER TABLE problem DROP COLUMN remains;

--

UPDATE slot SET state = 'open' WHERE state = 'held';

--

UPDATE slot SET state = 'unreached' WHERE state = 'removed';

--

DROP INDEX ix_slot_added;

--

ALTER TABLE slot DROP COLUMN turns;

--

ALTER TABLE slot DROP COLUMN place;

--

ALTER TABLE slot DROP COLUMN added_to;

--

DROP INDEX ix_substitution_slot;

--

ALTER TABLE substitution DROP COLUMN slot_id;

--

PRAGMA writable_schema = ON;

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_problem_problemstate CHECK (state IN (''open'', ''closed'', ''basic'', ''long_term''))',
    'CONSTRAINT ck_problem_problemstate CHECK (state IN (''open'', ''closed'', ''long_term''))')
WHERE type = 'table' AND name = 'problem';

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_wake_wakekind CHECK (kind IN (''advance'', ''date'', ''raise'', ''strike''))',
    'CONSTRAINT ck_wake_wakekind CHECK (kind IN (''advance'', ''raise'', ''strike''))')
WHERE type = 'table' AND name = 'wake';

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_slot_slotstate CHECK (state IN (''open'', ''held'', ''answered'', ''unreached'', ''voided'', ''removed''))',
    'CONSTRAINT ck_slot_slotstate CHECK (state IN (''open'', ''answered'', ''unreached'', ''voided''))')
WHERE type = 'table' AND name = 'slot';

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_step_origin CHECK (origin IN (''script'', ''rung'', ''operator'', ''extension''))',
    'CONSTRAINT ck_step_origin CHECK (origin IN (''script'', ''rung'', ''operator''))')
WHERE type = 'table' AND name = 'step';

--

PRAGMA writable_schema = RESET;
