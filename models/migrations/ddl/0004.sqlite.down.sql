DROP TABLE signed_paper;

--

DROP TABLE act;

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
    'CONSTRAINT ck_step_origin CHECK (origin IN (''script'', ''rung'', ''operator'', ''extension''))',
    'CONSTRAINT ck_step_origin CHECK (origin IN (''script'', ''rung'', ''operator''))')
WHERE type = 'table' AND name = 'step';

--

PRAGMA writable_schema = RESET;
