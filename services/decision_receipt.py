"""What a person holds in the hand of what they decided or did (办理凭证, ``reliability.md`` §4).

It names the audit entry and opens what binds their own words to it; once sealed, it shows by a
proof that a seal covers it. With a seal that left the house, nobody can say later that it was
otherwise. Only who did it gets it: for everybody else it is not there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, false, select, text

from models.act import ActRecord
from models.base import Instant, table
from models.casework import Decision, Step
from services.audit import commitment
from services.catalogue import step_title
from services.errors import NotFound
from services.scope import post_name
from services.seal_proof import Sealed, sealed_under
from services.subject import with_subject

FORMAT = "fd-receipt-v1"
DECISION, ACT = "decision", "act"
KINDS = (DECISION, ACT)
_acts = table(ActRecord)
_decisions = table(Decision)
_steps = table(Step)
_ENTRY = text(
    "SELECT a.stream, a.n, a.prev, a.hash, a.body, a.at FROM audit a"
    " JOIN command c ON c.id = a.command_id WHERE c.key = :key AND a.stream = :stream"
).columns(at=Instant)
_BETWEEN = text(
    "SELECT n, prev, hash, body FROM audit WHERE stream = :stream AND n > :n AND n <= :upto"
    " ORDER BY n"
)
_SAID = ("key", "slot_id", "branch_id", "reason", "at")


@dataclass(frozen=True, slots=True)
class Receipt:
    """``sealed`` is None until the sealer was there: about a minute."""

    kind: str
    id: int
    slot_id: int
    title: str
    subject: str
    case_number: str
    post: str
    did: str
    """The answer, or which act."""
    reason: str
    at: datetime
    entry: Row[Any]
    opening: dict[str, Any]
    sealed: Sealed | None
    _between: tuple[Row[Any], ...]

    @property
    def filename(self) -> str:
        """What the file of it is called: no name and no title is in it."""
        return f"receipt-{self.entry.stream.replace('/', '-')}-{self.entry.n}.json"

    def file(self) -> dict[str, Any]:
        """What is given to the person, for ``tools/audit_verifier.py``; why each part is there is
        said in ``docs/reference.md``."""
        entry = {name: getattr(self.entry, name) for name in ("stream", "n", "prev", "hash")}
        said = {"format": FORMAT, "case": self.case_number, "did": self.did, "post": self.post}
        whole = {
            **said,
            "entry": entry | {"body": self.entry.body, "at": _utc(self.entry.at)},
            "opening": self.opening,
            "sealed": None,
        }
        if self.sealed is not None:
            whole["sealed"] = {
                "after": [dict(row._mapping) for row in self._between],
                "place": self.sealed.place,
                "path": list(self.sealed.path),
                "seal": self.sealed.seal,
            }
        return whole


def receipt_of(db: Connection, person_id: int, kind: str, about_id: int) -> Receipt:
    """The receipt of a decision (by its slot) or an act (by its number), for who did it; NotFound
    for everybody else, and where the person's data was erased since."""
    if kind not in KINDS:
        raise NotFound
    query = _decision(about_id) if kind == DECISION else _act(about_id)
    row = db.execute(query.where(query.selected_columns.person_id == person_id)).first()
    if row is None:
        raise NotFound
    found = {"key": row.key, "stream": f"branch/{row.branch_id}"}
    entry = db.execute(_ENTRY, found).first()
    if entry is None:
        raise NotFound
    sealed = sealed_under(db, entry.stream, entry.n)
    return Receipt(
        kind=kind,
        id=about_id,
        slot_id=row.slot_id,
        title=step_title(row.mechanism, row.step),
        subject=row.subject,
        case_number=row.number,
        post=post_name(row.post_unit, row.post_title),
        did=row.did,
        reason=row.reason,
        at=row.at,
        entry=entry,
        opening=_opening(row),
        sealed=sealed,
        _between=_between(db, entry, sealed),
    )


def _decision(slot_id: int) -> Any:
    query = select(
        *(_decisions.c[name] for name in (*_SAID, "person_id")),
        _decisions.c.payload.label("given"),
        _decisions.c.late,
        _decisions.c.answer.label("did"),
        _steps.c.key.label("step"),
    )
    return with_subject(query, _decisions).where(_decisions.c.slot_id == slot_id)


def _act(act_id: int) -> Any:
    query = select(
        *(_acts.c[name] for name in (*_SAID, "person_id", "given")),
        false().label("late"),
        _acts.c.act.label("did"),
        _steps.c.key.label("step"),
    )
    return with_subject(query, _acts).where(_acts.c.id == act_id)


def _opening(row: Row[Any]) -> dict[str, Any]:
    """With these three the person shows that the entry's ``content`` binds what they wrote."""
    late = bool(row.late)
    bound = commitment(row.key, row.reason, row.given, late)
    return {"key": row.key, "said": [row.reason, row.given, late], "content": bound}


def _between(db: Connection, entry: Row[Any], sealed: Sealed | None) -> tuple[Row[Any], ...]:
    """The entries that lead from this one to the one that was sealed: of the same branch, and of
    the minute after. Without them nobody could follow the chain."""
    if sealed is None:
        return ()
    upto = {"stream": entry.stream, "n": entry.n, "upto": sealed.n}
    return tuple(db.execute(_BETWEEN, upto))


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
