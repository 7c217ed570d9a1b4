"""抽查复核 (CK-18): a sample of what was verified is verified once more, by another body.

The seed is made when the sample is drawn, and kept with the decision: until then nobody can know
who is drawn, and afterwards anybody can draw the same again (:mod:`policy.sampling`). What is not
upheld is open again, and goes on in the sample until it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from models.base import table
from models.casework import Branch, Case, Decision, Step
from models.organisation import Post, RelationKind
from models.problem import Problem, ProblemState
from policy.sampling import draw
from services.casework import Here, form, undo
from services.casework.four_eyes import hands_in, posts_of_interest
from services.errors import NotAuthorised
from services.policy import frozen
from services.posts import leading_post, organ
from services.rectification import MECHANISM, check_verify
from services.rectification_completion import claimed_in, put
from services.rectification_roles import discipline_organ, superior_of, supervisor

PORTION = "rectification.sample"
_branches = table(Branch)
_cases = table(Case)
_decisions = table(Decision)
_posts = table(Post)
_problems = table(Problem)
_steps = table(Step)
_DRAWN = (
    select(_decisions.c.payload)
    .join(_steps, _steps.c.id == _decisions.c.step_id)
    .where(
        _steps.c.case_id == bindparam("p_case"),
        _steps.c.key == "draw-sample",
        _steps.c.voided.is_(False),
    )
    .order_by(_steps.c.round.desc())
    .limit(1)
)


class VerifiedBefore(NotAuthorised):
    """您或您所在职务办理或核验过这一问题，抽查复核须由其他机构的其他人办理。"""

    code = "verified_before"


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn of a case: the numbers of the problems, of how many, and by which seed."""

    seed: str
    of: int
    percent: int
    numbers: tuple[int, ...]


def sampler(here: Here) -> int:
    """Who draws: the inspection office one level up."""
    return _head_of(here, RelationKind.INSPECTION_OFFICE)


def second_body(here: Here) -> int:
    """Who verifies once more: the inspection office one level up or, where its own post verified
    first, the discipline commission there."""
    first = select(_posts.c.organisation_id).where(_posts.c.id == supervisor(here))
    office = organ(
        here.db,
        superior_of(here.db, here.organisation_id),
        RelationKind.INSPECTION_OFFICE,
        here.on,
    )
    if here.db.execute(first).scalar_one() == office:
        above = superior_of(here.db, here.organisation_id)
        return leading_post(here.db, discipline_organ(here.db, above, here.on))
    return leading_post(here.db, office)


def verified_here(here: Here) -> list[int]:
    """The problems that were verified in this case, in the order of the feedback: not those that
    a ledger brought as closed, which are nobody's here."""
    closing = select(_branches.c.row_id).where(
        _branches.c.case_id == here.case_id, _branches.c.script == "close_problem"
    )
    query = select(_problems.c.id).where(_problems.c.id.in_(closing))
    return [int(id_) for id_ in here.db.execute(query.order_by(_problems.c.number)).scalars()]


@form("draw_sample")
def check_draw(here: Here, payload: Any) -> dict[str, Any]:
    """The sample, drawn now: nobody fills anything in, so nobody chooses."""
    policy_id = select(_cases.c.policy_id).where(_cases.c.id == here.case_id)
    policy = frozen(here.db, here.db.execute(policy_id).scalar_one())
    ids = verified_here(here)
    portion, seed = policy.portions[PORTION], here.work.env.seed()
    drawn = draw(seed, ids, portion.of(len(ids)))
    return {"seed": seed, "percent": portion.percent, "of": ids, "drawn": drawn}


def sampled_problems(here: Here) -> list[int]:
    """The problems that were drawn, in the order of the feedback."""
    drawn = here.db.execute(_DRAWN, {"p_case": here.case_id}).scalar_one()
    return [int(id_) for id_ in drawn["drawn"]]


def sample_of(db: Connection, case_id: int) -> Sample | None:
    """What was drawn of a case; None while nothing was."""
    drawn = db.execute(_DRAWN, {"p_case": case_id}).scalar()
    if drawn is None:
        return None
    mine = select(_problems.c.number).where(_problems.c.id.in_(drawn["drawn"]))
    numbers = tuple(db.execute(mine.order_by(_problems.c.number)).scalars())
    return Sample(drawn["seed"], len(drawn["of"]), drawn["percent"], numbers)


@form("recheck")
def check_recheck(here: Here, payload: Any) -> Any:
    """The payload as it is; :class:`VerifiedBefore` for who had a hand in the problem before, or
    holds or stands in for the post that verified it, and whatever :func:`check_verify` refuses."""
    check_verify(here, payload)
    if here.by is None:
        return payload
    of_problem = _branches.c.row_kind == "problem", _branches.c.row_id == here.row
    ids = list(here.db.execute(select(_branches.c.id).where(*of_problem)).scalars())
    hands = {key for _, key in hands_in(here.db, {here.by}, ids)} - {"recheck"}
    if hands or supervisor(here) in posts_of_interest(here.db, here.by, here.on, MECHANISM):
        raise VerifiedBefore
    return payload


def reopen(here: Here) -> dict[str, Any]:
    """A problem whose sample was not upheld is open again; what it was before, for the undo."""
    query = select(_problems).where(_problems.c.id == here.row)
    was = here.db.execute(query).one()
    if was.state == ProblemState.OPEN:
        return {}
    _set(here, state=ProblemState.OPEN, review_on=None)
    day = was.review_on.isoformat() if was.review_on else None
    return {"state": was.state.value, "review_on": day}


@undo
def leave_closed(here: Here, was: Mapping[str, Any]) -> None:
    """The sample is void: the problem is again what its verification made of it."""
    if was:
        day = date.fromisoformat(was["review_on"]) if was["review_on"] else None
        _set(here, state=ProblemState(was["state"]), review_on=day)


def settle_sample(here: Here) -> dict[str, Any]:
    """Upheld: where it was applied for again, the problem is where that claims it is."""
    said = claimed_in(here.db, here.branch_id)
    return {} if said is None else put(here, said)


def _head_of(here: Here, kind: RelationKind) -> int:
    above = superior_of(here.db, here.organisation_id)
    return leading_post(here.db, organ(here.db, above, kind, here.on))


def _set(here: Here, **values: Any) -> None:
    here.db.execute(update(_problems).where(_problems.c.id == here.row).values(**values))
