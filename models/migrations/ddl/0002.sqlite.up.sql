CREATE TABLE launch (
    id INTEGER NOT NULL,
    command_id INTEGER NOT NULL,
    mechanism VARCHAR NOT NULL,
    edition INTEGER NOT NULL,
    person_id INTEGER,
    due_at DATETIME NOT NULL,
    at DATETIME NOT NULL,
    done_at DATETIME,
    CONSTRAINT pk_launch PRIMARY KEY (id),
    CONSTRAINT fk_launch_command_id_command FOREIGN KEY(command_id) REFERENCES command (id),
    CONSTRAINT fk_launch_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);

--

CREATE TABLE launch_target (
    id INTEGER NOT NULL,
    launch_id INTEGER NOT NULL,
    organisation_id INTEGER NOT NULL,
    urgent BOOLEAN NOT NULL,
    case_id INTEGER,
    attempts INTEGER NOT NULL,
    try_at DATETIME NOT NULL,
    error VARCHAR NOT NULL,
    CONSTRAINT pk_launch_target PRIMARY KEY (id),
    CONSTRAINT uq_launch_target_launch_id_organisation_id UNIQUE (launch_id, organisation_id),
    CONSTRAINT fk_launch_target_launch_id_launch FOREIGN KEY(launch_id) REFERENCES launch (id),
    CONSTRAINT fk_launch_target_organisation_id_organisation FOREIGN KEY(organisation_id) REFERENCES organisation (id),
    CONSTRAINT uq_launch_target_case_id UNIQUE (case_id),
    CONSTRAINT fk_launch_target_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id)
);

--

CREATE TABLE run_event (
    id INTEGER NOT NULL,
    "key" VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    case_id INTEGER,
    payload JSON NOT NULL,
    at DATETIME NOT NULL,
    CONSTRAINT pk_run_event PRIMARY KEY (id),
    CONSTRAINT uq_run_event_key UNIQUE ("key"),
    CONSTRAINT fk_run_event_case_id_case FOREIGN KEY(case_id) REFERENCES "case" (id)
);

--

CREATE TABLE pace (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    free_at DATETIME NOT NULL,
    CONSTRAINT pk_pace PRIMARY KEY (id),
    CONSTRAINT uq_pace_name UNIQUE (name)
);

--

CREATE TABLE installation (
    id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    restored_at DATETIME,
    holding BOOLEAN NOT NULL,
    seen_at DATETIME,
    doubted_at DATETIME,
    growing_since DATETIME,
    CONSTRAINT pk_installation PRIMARY KEY (id)
);

--

CREATE INDEX ix_launch_due ON launch (due_at) WHERE done_at IS NULL;

--

CREATE INDEX ix_launch_command_id ON launch (command_id);

--

CREATE INDEX ix_launch_target_open ON launch_target (launch_id) WHERE case_id IS NULL;

--

ALTER TABLE "case" ADD COLUMN ended_by INTEGER CONSTRAINT fk_case_ended_by_person REFERENCES person (id);

--

ALTER TABLE "case" ADD COLUMN ended_as INTEGER CONSTRAINT fk_case_ended_as_post REFERENCES post (id);

--

ALTER TABLE "case" ADD COLUMN end_reason VARCHAR DEFAULT '' NOT NULL;

--

ALTER TABLE "case" ADD COLUMN tabled VARCHAR;

--

CREATE INDEX ix_case_untabled ON "case" (id) WHERE tabled IS NULL;

--

CREATE INDEX ix_branch_blocked ON branch (case_id) WHERE error IS NOT NULL;

--

INSERT INTO installation (id, epoch, holding) VALUES (1, 1, 0);
