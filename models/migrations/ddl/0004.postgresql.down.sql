DROP TABLE act;

--

ALTER TABLE step DROP CONSTRAINT ck_step_origin;

--

ALTER TABLE step ADD CONSTRAINT ck_step_origin CHECK (origin IN ('script', 'rung', 'operator'));
