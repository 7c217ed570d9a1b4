"""What was done to slots beside deciding, as people read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from models.act import ActRecord
from models.base import table
from models.casework import Case, Step
from models.organisation import Organisation, Post
from policy.acts import Act
from services.catalogue import step_title
from services.history import Line, of_branches
from services.post_names import names_of
from services.scope import post_name
from services.substitutes import in_place, substitute_names

_acts = table(ActRecord)
_cases = table(Case)
_organisations = table(Organisation)
_posts = table(Post)
_steps = table(Step)
POST = "post"
"""The field of an act that names a post."""


@dataclass(frozen=True, slots=True)
class ActLine:
    """One act. ``by``: who did it, in words: the post, or ``副书记代书记`` (离岗委托)."""

    id: int
    act: Act
    slot_id: int
    person_id: int
    at: datetime
    title: str
    by: str
    reason: str
    to: str = ""
    """The post that it is about beside the one that is asked: 转办、加签、减签."""
    answer: str = ""
    """An act is no answer: what a decision's line has here."""


def timeline(db: Connection, branch_id: int) -> list[Line | ActLine]:
    """What was decided and done in a branch, the oldest first."""
    both: list[Line | ActLine] = [*of_branches(db, [branch_id]), *acts_of_branches(db, [branch_id])]
    return sorted(both, key=lambda line: line.at)


def acts_of_branches(db: Connection, branch_ids: Sequence[int]) -> list[ActLine]:
    """All acts in a few branches, the oldest first; without the recording of a paper, which the
    line of its decision tells."""
    rows = db.execute(
        select(
            *(_acts.c[name] for name in ("id", "act", "slot_id", "person_id", "at", "reason")),
            *(_acts.c[name] for name in ("substitution_id", "given")),
            _steps.c.key,
            _cases.c.mechanism,
            _posts.c.title,
            _organisations.c.short_name,
        )
        .join(_steps, _steps.c.id == _acts.c.step_id)
        .join(_cases, _cases.c.id == _acts.c.case_id)
        .join(_posts, _posts.c.id == _acts.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_acts.c.branch_id.in_(branch_ids), _acts.c.act != Act.RECORD)
        .order_by(_acts.c.id)
    ).all()
    names = substitute_names(db, (row.substitution_id for row in rows))
    posts = names_of(db, {int(row.given[POST]) for row in rows if POST in row.given})
    return [
        ActLine(
            id=row.id,
            act=Act(row.act),
            slot_id=row.slot_id,
            person_id=row.person_id,
            at=row.at,
            title=step_title(row.mechanism, row.key),
            by=in_place(post_name(row.short_name, row.title), names.get(row.substitution_id, "")),
            reason=row.reason,
            to=posts[int(row.given[POST])] if POST in row.given else "",
        )
        for row in rows
    ]
