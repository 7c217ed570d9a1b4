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

ALTER TABLE problem DROP CONSTRAINT ck_problem_problemstate;

--

ALTER TABLE problem ADD CONSTRAINT ck_problem_problemstate CHECK (state IN ('open', 'closed', 'long_term'));

--

ALTER TABLE wake DROP CONSTRAINT ck_wake_wakekind;

--

ALTER TABLE wake ADD CONSTRAINT ck_wake_wakekind CHECK (kind IN ('advance', 'raise', 'strike'));

--

ALTER TABLE step DROP CONSTRAINT ck_step_origin;

--

ALTER TABLE step ADD CONSTRAINT ck_step_origin CHECK (origin IN ('script', 'rung', 'operator'));

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

ALTER TABLE slot DROP CONSTRAINT ck_slot_slotstate;

--

ALTER TABLE slot ADD CONSTRAINT ck_slot_slotstate CHECK (state IN ('open', 'answered', 'unreached', 'voided'));

--

DROP INDEX ix_substitution_slot;

--

ALTER TABLE substitution DROP COLUMN slot_id;
