DROP TABLE "duty_member" CASCADE;

--

DROP TABLE "delivery" CASCADE;

--

DROP TABLE "rung" CASCADE;

--

DROP TABLE "decision" CASCADE;

--

DROP TABLE "task_support" CASCADE;

--

DROP TABLE "manifestation_unit" CASCADE;

--

DROP TABLE "message" CASCADE;

--

DROP TABLE "slot" CASCADE;

--

DROP TABLE "task" CASCADE;

--

DROP TABLE "manifestation" CASCADE;

--

DROP TABLE "wake" CASCADE;

--

DROP TABLE "effect" CASCADE;

--

DROP TABLE "fact" CASCADE;

--

DROP TABLE "step" CASCADE;

--

DROP TABLE "fanout" CASCADE;

--

DROP TABLE "problem" CASCADE;

--

DROP TABLE "portfolio" CASCADE;

--

DROP TABLE "appointment" CASCADE;

--

DROP TABLE "run_wake" CASCADE;

--

DROP TABLE "branch" CASCADE;

--

DROP TABLE "audit" CASCADE;

--

DROP TABLE "session" CASCADE;

--

DROP TABLE "post" CASCADE;

--

DROP TABLE "relation" CASCADE;

--

DROP TABLE "channel" CASCADE;

--

DROP TABLE "case" CASCADE;

--

DROP TABLE "calendar_day" CASCADE;

--

DROP TABLE "command" CASCADE;

--

DROP TABLE "account" CASCADE;

--

DROP TABLE "person" CASCADE;

--

DROP TABLE "organisation" CASCADE;

--

DROP TABLE "number_series" CASCADE;

--

DROP TABLE "policy_version" CASCADE;

--

DROP TABLE "calendar_version" CASCADE;

--

DROP TABLE "audit_head" CASCADE;

--

DROP FUNCTION fourduties_refuse();
