"""What was signed on paper and recorded (代录), wherever the decision is shown.

The decision is its signer's; who recorded it, when, and the day that stands on the paper are told
beside it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, select

from models.act import ActRecord
from models.base import table
from models.casework import Decision
from models.organisation import Organisation, Post
from models.signed_paper import SignedPaper
from services.catalogue import translated
from services.scope import post_name

_acts = table(ActRecord)
_decisions = table(Decision)
_organisations = table(Organisation)
_papers = table(SignedPaper)
_posts = table(Post)
RECORDED: ColumnElement[bool] = (
    select(_papers.c.id)
    .where(_papers.c.decision_id == _decisions.c.id)
    .correlate(_decisions)
    .exists()
)
"""Of a decision: whether it was made on paper."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper. ``by``: the post that recorded it; ``name``: what its scan is called."""

    id: int
    signed_on: date
    by: str
    recorded_at: datetime
    name: str


def papers(db: Connection, slot_ids: Collection[int]) -> dict[int, Paper]:
    """The papers by which these slots were answered; asks nothing without any."""
    if not slot_ids:
        return {}
    rows = db.execute(
        select(
            _acts.c.slot_id,
            _acts.c.at,
            *(_papers.c[name] for name in ("id", "signed_on", "name")),
            _posts.c.title,
            _organisations.c.short_name,
        )
        .join(_papers, _papers.c.act_id == _acts.c.id)
        .join(_posts, _posts.c.id == _acts.c.post_id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_acts.c.slot_id.in_(slot_ids))
    )
    return {
        row.slot_id: Paper(
            row.id, row.signed_on, post_name(row.short_name, row.title), row.at, row.name
        )
        for row in rows
    }


def recorded_for(post: str, paper: Paper | None) -> str:
    """``书记（联络员代录）`` of what was signed on paper, in one breath; otherwise the post."""
    if paper is None:
        return post
    return translated("%(post)s, recorded by %(by)s", post=post, by=paper.by)
