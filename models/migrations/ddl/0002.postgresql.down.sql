DROP INDEX ix_branch_blocked;

--

DROP INDEX ix_case_untabled;

--

ALTER TABLE "case" DROP COLUMN tabled;

--

DROP TABLE installation;

--

DROP TABLE pace;

--

DROP TABLE run_event;

--

DROP TABLE launch_target;

--

DROP TABLE launch;

--

ALTER TABLE "case" DROP COLUMN end_reason;

--

ALTER TABLE "case" DROP COLUMN ended_as;

--

ALTER TABLE "case" DROP COLUMN ended_by;
