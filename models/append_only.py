"""Triggers that refuse to rewrite history (``reliability.md`` §4), on SQLite and PostgreSQL.

The application could be mistaken, and somebody could reach the database past it: what was decided
and audited stays as it was written. On SQLite ``INSERT OR REPLACE`` deletes without firing DELETE
triggers, so an insert over an existing key is refused as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

REFUSED = "append-only"
"""Every refusal's message begins with it; the driver raises an IntegrityError."""


@dataclass(frozen=True, slots=True)
class AppendOnly:
    """A table whose rows are written once.

    ``keys`` are the unique keys an insert must not run over; ``open_while`` is a condition on
    ``OLD`` under which columns other than ``fixed`` may still be written.
    """

    table: str
    keys: tuple[tuple[str, ...], ...] = (("id",),)
    open_while: str = ""
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frozen:
    """A column that is written once: from then on only the same value is accepted."""

    table: str
    column: str


APPEND_ONLY = (
    AppendOnly("decision", (("id",), ("key",), ("slot_id",))),
    AppendOnly("act", (("id",), ("key",))),
    AppendOnly("audit", (("id",), ("stream", "n"))),
    AppendOnly("seal", (("id",), ("number",))),
    AppendOnly("seal_leaf", (("id",), ("place",), ("stream", "n"))),
    AppendOnly("seal_key", (("id",), ("key_id",))),
    AppendOnly(
        "delivery",
        (("id",), ("message_id", "channel_id", "attempt")),
        open_while="OLD.state = 'claimed'",
        fixed=("id", "message_id", "channel_id", "attempt", "started_at"),
    ),
    AppendOnly(
        "substitution",
        open_while="OLD.ended_at IS NULL",
        fixed=(
            *("id", "post_id", "person_id", "substitute_post_id", "substitute_id"),
            *("every_mechanism", "starts_on", "ends_on", "reason", "made_by", "made_as", "made_at"),
        ),
    ),
    AppendOnly("substitution_mechanism", (("id",), ("substitution_id", "mechanism"))),
    AppendOnly("evidence_version", (("id",), ("evidence_id", "number"))),
    AppendOnly("evidence_withdrawal", (("id",), ("version_id",))),
    AppendOnly("signed_paper", (("id",), ("decision_id",), ("act_id",))),
    AppendOnly(
        "pause",
        open_while="OLD.ended_at IS NULL",
        fixed=(
            *("id", "case_id", "branch_id", "kind", "reason", "review_on"),
            *("person_id", "post_id", "appointment_id", "at"),
        ),
    ),
    AppendOnly("standstill"),
    AppendOnly("policy_version"),
    AppendOnly("calendar_version"),
    AppendOnly("calendar_day", (("id",), ("version_id", "day"))),
    AppendOnly("account_event"),
)
FROZEN = (
    Frozen("step", "original_due_at"),
    Frozen("task", "original_due_on"),
    Frozen("problem", "text"),
    Frozen("manifestation", "text"),
)

_POSTGRESQL_FUNCTION = f"""\
CREATE FUNCTION fourduties_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = '{REFUSED}: ' || TG_TABLE_NAME, ERRCODE = 'integrity_constraint_violation';
END $$"""


def create_triggers(dialect: str) -> list[str]:
    """The statements that make every trigger; ``dialect`` is ``sqlite`` or ``postgresql``."""
    return list(_sqlite() if dialect == "sqlite" else _postgresql())


def _sqlite() -> Iterator[str]:
    refuse = f"SELECT RAISE(ABORT, '{REFUSED}: %s');"
    for rule in APPEND_ONLY:
        body = refuse % rule.table
        replaced = " OR ".join(
            "(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")"
            for key in rule.keys
        )
        wanted = {
            "UPDATE": _unless(rule, "IS NOT"),
            "DELETE": "",
            "INSERT": f" WHEN EXISTS (SELECT 1 FROM {rule.table} WHERE {replaced})",
        }
        for event, condition in wanted.items():
            yield (
                f"CREATE TRIGGER {rule.table}_{event.lower()}_refused"
                f" BEFORE {event} ON {rule.table}{condition}\nBEGIN {body} END"
            )
    for column in FROZEN:
        yield (
            f"{_frozen_head(column)}\n"
            f"WHEN OLD.{column.column} IS NOT NULL"
            f" AND NEW.{column.column} IS NOT OLD.{column.column}\n"
            f"BEGIN {refuse % column.table} END"
        )


def _postgresql() -> Iterator[str]:
    refuse = "EXECUTE FUNCTION fourduties_refuse()"
    yield _POSTGRESQL_FUNCTION
    for rule in APPEND_ONLY:
        conditions: Mapping[str, str] = {
            "UPDATE": _unless(rule, "IS DISTINCT FROM").replace(" WHEN ", " WHEN (", 1),
            "DELETE": "",
        }
        for event, condition in conditions.items():
            yield (
                f"CREATE TRIGGER {rule.table}_{event.lower()}_refused BEFORE {event}"
                f" ON {rule.table} FOR EACH ROW{condition + ')' if condition else ''} {refuse}"
            )
        yield (
            f"CREATE TRIGGER {rule.table}_truncate_refused BEFORE TRUNCATE"
            f" ON {rule.table} FOR EACH STATEMENT {refuse}"
        )
    for column in FROZEN:
        yield (
            f"{_frozen_head(column)} FOR EACH ROW\n"
            f"WHEN (OLD.{column.column} IS NOT NULL"
            f" AND NEW.{column.column} IS DISTINCT FROM OLD.{column.column})\n{refuse}"
        )


def _unless(rule: AppendOnly, differs: str) -> str:
    """When an UPDATE is refused: always, or once closed, or if it touches what is fixed."""
    if not rule.open_while:
        return ""
    touched = [f"NEW.{column} {differs} OLD.{column}" for column in rule.fixed]
    return " WHEN " + " OR ".join([f"NOT ({rule.open_while})", *touched])


def _frozen_head(column: Frozen) -> str:
    return (
        f"CREATE TRIGGER {column.table}_{column.column}_frozen"
        f" BEFORE UPDATE OF {column.column} ON {column.table}"
    )
