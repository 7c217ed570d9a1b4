ALTER TABLE step DROP COLUMN turns;

--

DROP TABLE seal_leaf;

--

DROP TABLE seal;

--

DROP TABLE seal_key;

--

DROP TABLE planned_change;

--

DROP TABLE extension;

--

DROP TABLE ledger_task;

--

DROP TABLE ledger_problem;

--

DROP TABLE ledger;

--

DROP TABLE trouble;

--

ALTER TABLE installation DROP COLUMN looked_at;

--

DROP TABLE batch_change;

--

DROP TABLE batch_line;

--

DROP TABLE batch;

--

DROP INDEX ux_person_code;

--

ALTER TABLE person DROP COLUMN code;

--

DROP TABLE evidence_withdrawal;

--

DROP TABLE evidence_version;

--

DROP TABLE evidence;

--

DROP TABLE evidence_file;

--

DROP INDEX ix_decision_substitution;

--

ALTER TABLE message DROP COLUMN substitution_id;

--

ALTER TABLE decision DROP COLUMN substitution_id;

--

DROP TABLE substitution_mechanism;

--

DROP TABLE substitution;

--

DROP TABLE handover_item;

--

DROP TABLE handover;

--

DROP TABLE vacancy;

--

DROP TABLE former_post;

--

DROP INDEX ix_organisation_closed;

--

DROP INDEX ix_post_abolished;

--

ALTER TABLE post DROP COLUMN ends_on;

--

ALTER TABLE organisation DROP COLUMN successor_id;

--

ALTER TABLE organisation DROP COLUMN ends_on;

--

DROP TABLE account_event;

--

DROP TABLE administrator;

--

DROP TABLE second_factor;

--

ALTER TABLE session DROP COLUMN browser;

--

ALTER TABLE session DROP COLUMN address;

--

ALTER TABLE session DROP COLUMN post_id;

--

DROP TABLE login_failure;

--

DROP INDEX ix_account_person_id;

--

CREATE INDEX ix_account_person_id ON account (person_id);

--

ALTER TABLE account DROP COLUMN password_at;

--

ALTER TABLE account DROP COLUMN must_change;

--

DROP TABLE former_organisation;
