"""依次 and 票决 as those who are asked live them: who waits when, what ends it, what is told."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.base import table
from models.casework import Slot
from policy.calendar import instant_on, local_day
from policy.outcome import RETURN
from services.casework import decide
from services.casework.branch import lock_branch
from services.casework.rerouting import reroute
from services.casework.script import Casework, ScriptError
from services.command import Work
from services.env import Env
from services.errors import AlreadyDecided, Invalid
from services.inbox import Inbox
from services.invariants import violations
from services.scope import standing
from services.step_page import step_page
from tests.waiting import Walk, walk_in
from tests.world import Clock

_slots = table(Slot)
OPENED = instant_on(date(2026, 2, 2), 10)


@pytest.fixture
def walk(engine: Engine) -> Iterator[Walk]:
    clock = Clock()
    made = walk_in(Env(engine, clock), clock)
    yield made
    assert list(violations(engine, local_day(clock()))) == []


def states(walk: Walk) -> list[str]:
    return [str(row.state) for row in walk.rows(select(_slots.c.state).order_by(_slots.c.id))]


def inboxes(walk: Walk, *posts: str) -> list[int]:
    """How many wait on each of these."""
    world = walk.world
    with world.env.engine.connect() as db:
        people = [standing(db, world.people[post], walk.today) for post in posts]
        return [Inbox(who).count(db) for who in people]


def give_to(walk: Walk, slot_id: int, post: str) -> None:
    def act(work: Work) -> dict[str, Any]:
        of_slot = select(_slots.c.branch_id).where(_slots.c.id == slot_id)
        branch = lock_branch(work, work.db.execute(of_slot).scalar_one())
        reroute(branch, slot_id, walk.world.posts[post])
        branch.save()
        return {}

    walk.world.do(act)


def test_in_turn_the_next_is_asked_and_told_when_the_one_before_agreed(walk: Walk) -> None:
    walk.open("waiting_turn", OPENED)
    assert inboxes(walk, "clerk", "deputy", "secretary") == [1, 0, 0]
    assert walk.told() == {("opened", "clerk"): 1}
    (due,) = {step.due_at for step in walk.steps("sign")}
    for done, post in enumerate(("clerk", "deputy", "secretary")):
        assert walk.world.waiting() == [("sign", post)]
        assert walk.told()["opened", post] == 1
        assert [step.due_at for step in walk.steps("sign")] == [due]
        walk.world.answer("sign", "agree", post)
        assert states(walk).count("answered") == done + 1
    assert walk.world.waiting() == []
    assert [(step.state, step.answer) for step in walk.steps("sign")] == [("decided", "agree")]


def test_in_turn_a_return_ends_it_and_the_others_are_never_asked(walk: Walk) -> None:
    walk.open("waiting_turn", OPENED)
    walk.world.answer("sign", "agree", "clerk")
    walk.world.answer("sign", RETURN, "deputy", reason="请补充依据")
    assert walk.world.waiting() == [("mend", "clerk")]
    assert walk.told()["opened", "secretary"] == 0
    walk.world.answer("mend")
    assert walk.world.waiting() == [("sign", "clerk")]


def test_the_page_says_who_comes_after(walk: Walk) -> None:
    walk.open("waiting_turn", OPENED)
    ((slot_id, _, _),) = walk.world.open_slots()
    with walk.world.env.engine.connect() as db:
        who = standing(db, walk.world.people["clerk"], walk.today)
        page = step_page(db, who, slot_id, walk.clock.now)
    asked = [(one.post.removeprefix("梧桐路街道党工委"), one.state) for one in page.asked]
    assert asked == [("联络员", "open"), ("副书记", "waiting"), ("书记", "waiting")]
    assert page.item.role == "role.in_turn"


def test_rungs_are_for_whose_turn_it_is(walk: Walk) -> None:
    walk.open("waiting_turn", OPENED)
    walk.world.answer("sign", "agree", "clerk")
    walk.until(date(2026, 3, 10))
    waiting = next(slot for slot, key, _ in walk.world.open_slots() if key == "sign")
    assert {rung.slot_id for rung in walk.rungs()} == {waiting}
    assert walk.told()["due", "deputy"] == 1
    assert walk.told()["due", "clerk"] == walk.told()["due", "secretary"] == 0


def test_a_turn_on_an_empty_post_is_asked_for_and_does_not_stop(walk: Walk) -> None:
    walk.open("waiting_turn", OPENED)
    walk.give("deputy", "secretary")
    walk.world.answer("sign", "agree", "clerk")
    assert walk.world.waiting() == [("sign", "deputy")]
    assert inboxes(walk, "secretary") == [1]


def test_who_was_asked_by_transfer_is_not_asked_again_in_turn(walk: Walk) -> None:
    walk.open("waiting_turn", OPENED)
    give_to(walk, walk.world.open_slots()[0][0], "deputy")
    walk.world.answer("sign", "agree", "deputy")
    assert walk.world.waiting() == [("sign", "secretary")]
    walk.world.answer("sign", "agree", "secretary")
    assert walk.world.waiting() == []


def test_where_two_posts_become_one_the_turn_goes_on(walk: Walk) -> None:
    walk.open("waiting_turn", OPENED)
    walk.world.answer("sign", "agree", "clerk")
    give_to(walk, walk.world.open_slots()[0][0], "clerk")
    assert walk.world.waiting() == [("sign", "secretary")]
    give_to(walk, walk.world.open_slots()[0][0], "clerk")
    assert walk.world.waiting() == []
    assert [step.answer for step in walk.steps("sign")] == ["agree"]


def test_a_vote_ends_as_soon_as_it_is_won(walk: Walk) -> None:
    walk.open("waiting_vote", OPENED)
    assert len(walk.world.waiting()) == 3
    walk.world.answer("vote", RETURN, "deputy", reason="不同意")
    walk.world.answer("vote", "agree", "clerk")
    assert walk.world.waiting() == [("vote", "secretary")]
    walk.world.answer("vote", "agree", "secretary")
    assert [step.answer for step in walk.steps("vote")] == ["agree"]


def test_a_vote_that_cannot_be_won_any_more_ends_and_says_who_was_not_heard(walk: Walk) -> None:
    walk.open("waiting_vote", OPENED)
    world = walk.world
    late = next(slot for slot, _, post in world.open_slots() if post == "secretary")
    for post in ("deputy", "clerk"):
        walk.world.answer("vote", RETURN, post, reason="不同意")
    assert walk.world.waiting() == [("mend", "clerk")]
    assert states(walk)[:3] == ["answered", "answered", "unreached"]
    with pytest.raises(AlreadyDecided):
        decide(world.env, world.actor("secretary"), slot_id=late, answer="agree", key=world.key())


def test_one_vote_against_returns_nothing_alone(walk: Walk) -> None:
    """No voter may choose the step to which everything goes back."""
    walk.open("waiting_vote", OPENED)
    with pytest.raises(Invalid):
        walk.world.answer("vote", RETURN, "clerk", reason="不同意", back_to="vote")
    assert len(walk.world.waiting()) == 3


def test_a_vote_on_anything_but_yes_and_no_is_refused() -> None:
    case = Casework.__new__(Casework)
    with pytest.raises(ScriptError):
        case.ask_all("vote", of=lambda here: [1], due="x", mode="majority", answers=("done",))
