DROP TABLE act;

--

PRAGMA writable_schema = ON;

--

UPDATE sqlite_schema SET sql = replace(sql,
    'CONSTRAINT ck_step_origin CHECK (origin IN (''script'', ''rung'', ''operator'', ''extension''))',
    'CONSTRAINT ck_step_origin CHECK (origin IN (''script'', ''rung'', ''operator''))')
WHERE type = 'table' AND name = 'step';

--

PRAGMA writable_schema = RESET;
