DROP TABLE "duty_member";

--

DROP TABLE "delivery";

--

DROP TABLE "rung";

--

DROP TABLE "decision";

--

DROP TABLE "task_support";

--

DROP TABLE "manifestation_unit";

--

DROP TABLE "message";

--

DROP TABLE "slot";

--

DROP TABLE "task";

--

DROP TABLE "manifestation";

--

DROP TABLE "wake";

--

DROP TABLE "effect";

--

DROP TABLE "fact";

--

DROP TABLE "step";

--

DROP TABLE "fanout";

--

DROP TABLE "problem";

--

DROP TABLE "portfolio";

--

DROP TABLE "appointment";

--

DROP TABLE "run_wake";

--

DROP TABLE "branch";

--

DROP TABLE "audit";

--

DROP TABLE "session";

--

DROP TABLE "post";

--

DROP TABLE "relation";

--

DROP TABLE "channel";

--

DROP TABLE "case";

--

DROP TABLE "calendar_day";

--

DROP TABLE "command";

--

DROP TABLE "account";

--

DROP TABLE "person";

--

DROP TABLE "organisation";

--

DROP TABLE "number_series";

--

DROP TABLE "policy_version";

--

DROP TABLE "calendar_version";

--

DROP TABLE "audit_head";
