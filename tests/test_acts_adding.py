"""加签、减签: who is asked when, what it makes of the step, and what other acts make of it."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.act import ActRecord
from models.base import table
from models.casework import Decision, Slot, SlotState, Step
from policy.acts import MOST_ADDED, Act
from policy.calendar import instant_on, local_day
from policy.outcome import RETURN
from services.acts.acting import MayNotAct
from services.acts.adding import AddedEnough
from services.appointing import appoint
from services.casework import decide, return_targets
from services.casework.authority import SpeaksAlready
from services.casework.branch import lock_branch
from services.casework.rerouting import reroute
from services.command import SYSTEM, Work
from services.env import Env
from services.errors import AlreadyDecided, Invalid
from services.inbox import Inbox
from services.invariants import violations
from services.scope import standing
from services.step_page import step_page
from services.termination import terminate
from tests.acts_scene import asked_by, do, due, offered, slot_of, stand_in, told
from tests.parts_case import start, values
from tests.vacancy_scene import come, gone, holds, settle, today, town, vacant
from tests.waiting import Walk, walk_in
from tests.world import Clock, World

_acts, _decisions, _slots, _steps = table(ActRecord), table(Decision), table(Slot), table(Step)
ADD, REMOVE = Act.ADD_APPROVER, Act.REMOVE_APPROVER
OPENED = instant_on(date(2026, 2, 2), 10)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    """The draft waits on the clerk, alone; whatever a test does, every invariant holds after it."""
    for made in town(engine, clock):
        start(made)
        yield made
        settle(made)
        holds(made)


@pytest.fixture
def walk(engine: Engine) -> Iterator[Walk]:
    clock = Clock()
    made = walk_in(Env(engine, clock), clock)
    yield made
    assert list(violations(engine, local_day(clock()))) == []


def add(world: World, post: str, place: str, by: str = "clerk", key: str = "draft") -> int:
    """``by`` adds a post to what waits on them; the slot of theirs."""
    slot = next(slot for slot, of, who in world.open_slots() if (of, who) == (key, by))
    do(world, by, ADD, slot, post=world.posts[post], place=place)
    return slot


def answers(world: World, key: str) -> list[Any]:
    return values(world, select(_steps.c.answer).where(_steps.c.key == key).order_by(_steps.c.id))


def state(world: World, slot: int) -> str:
    return str(values(world, select(_slots.c.state).where(_slots.c.id == slot))[0])


def inbox(world: World, post: str) -> int:
    with world.env.engine.connect() as db:
        return Inbox(standing(db, world.people[post], today(world))).count(db)


def seen(world: World, post: str, slot: int) -> Any:
    with world.env.engine.connect() as db:
        who = standing(db, world.people[post], today(world))
        return step_page(db, who, slot, world.env.clock())


def takes(world: World, by: str, post: str) -> None:
    """The holder of one post follows the holder of another."""
    gone(world, post)
    of: Any = {"post_id": world.posts[post], "starts_on": today(world)}
    appoint(world.env, SYSTEM, **of, person_id=world.people[by], key=world.key())


def give_to(world: World, slot: int, post: str) -> None:
    """What a reorganisation does to an open slot."""

    def act(work: Work) -> dict[str, Any]:
        of_slot = select(_slots.c.branch_id).where(_slots.c.id == slot)
        branch = lock_branch(work, work.db.execute(of_slot).scalar_one())
        reroute(branch, slot, world.posts[post])
        branch.save()
        return {}

    world.do(act)


def test_before_the_other_answers_first_and_then_it_comes_back(world: World) -> None:
    dates = due(world, "draft")
    slot = add(world, "deputy", "before")
    assert world.waiting() == [("draft", "deputy")]
    assert (inbox(world, "clerk"), inbox(world, "deputy")) == (0, 1)
    assert told(world, "deputy", "opened") == 1
    assert (state(world, slot), due(world, "draft")) == ("held", dates)
    with pytest.raises(AlreadyDecided, match="加签人"):
        decide(world.env, world.actor("clerk"), slot_id=slot, answer="done", key=world.key())
    page = seen(world, "deputy", slot_of(world, "draft"))
    assert [one.value for one in page.choices] == ["agree", RETURN]
    assert (page.item.role, page.form) == ("role.added", "")
    mine = seen(world, "clerk", slot)
    assert [(one.added, one.state) for one in mine.asked] == [(False, "held"), (True, "open")]
    world.answer("draft", "agree", "deputy", reason="可行")
    assert world.waiting() == [("draft", "clerk")]
    assert told(world, "clerk", "resumed") == 1
    world.answer("draft", "done", "clerk")
    assert answers(world, "draft") == ["done"]


def test_beside_both_answer_and_what_is_asked_is_said_by_who_is_asked(world: World) -> None:
    add(world, "deputy", "beside")
    assert world.waiting() == [("draft", "clerk"), ("draft", "deputy")]
    with pytest.raises(Invalid):
        world.answer("draft", "done", "deputy")
    with pytest.raises(Invalid) as refused:
        world.answer("draft", "agree", "deputy", payload={"text": "x"})
    assert refused.value.details["field"] == "payload"
    world.answer("draft", "done", "clerk")
    assert answers(world, "draft") == [None]
    world.answer("draft", "agree", "deputy")
    assert answers(world, "draft") == ["done"]


def test_after_the_others_are_asked_one_by_one_and_then_it_is_decided(world: World) -> None:
    slot = add(world, "deputy", "after")
    add(world, "secretary", "after")
    assert world.waiting() == [("draft", "clerk")]
    assert told(world, "deputy", "opened") == 0
    to_come = seen(world, "clerk", slot).asked
    assert [one.state for one in to_come] == ["open", "waiting", "waiting"]
    for post, answer in (("clerk", "done"), ("deputy", "agree"), ("secretary", "agree")):
        assert world.waiting() == [("draft", post)]
        world.answer("draft", answer, post)
    assert answers(world, "draft") == ["done"]


def test_where_the_script_handles_a_return_that_of_who_was_added_is_one(world: World) -> None:
    world.answer("draft")
    add(world, "district_secretary", "after", "inspection_head", "review")
    world.answer("review", "agree", "inspection_head")
    world.answer("review", RETURN, "district_secretary", reason="依据不足")
    assert world.waiting() == [("revise", "clerk")]
    assert answers(world, "review") == [RETURN]


def test_where_it_handles_none_who_was_added_returns_it_to_who_is_asked(world: World) -> None:
    """The first step: nothing earlier can be gone back to, and yet nobody can only agree."""
    dates = due(world, "draft")
    add(world, "deputy", "after")
    world.answer("draft", "done", "clerk")
    slot = slot_of(world, "draft")
    with world.env.engine.connect() as db:
        assert return_targets(db, slot) == ["draft"]
    with pytest.raises(Invalid):
        world.answer("draft", RETURN, "deputy", reason="请重写", back_to=None)
    world.answer("draft", RETURN, "deputy", reason="请重写", back_to="draft")
    assert world.waiting() == [("draft", "clerk")]
    assert set(due(world, "draft")) == set(dates)
    world.answer("draft", "done", "clerk")
    assert answers(world, "draft") == [RETURN, "done"]


def test_who_may_be_added_is_near_free_and_speaks_once(world: World) -> None:
    slot = slot_of(world, "draft")
    names = [name for _, name in asked_by(world, "clerk", ADD, slot).fields[1].options]
    assert {"梧桐路街道党工委书记", "梧桐路街道党工委副书记", "滨河区委书记"} <= set(names)
    assert "滨河区委系统运维员" not in names
    assert "临江镇党委书记" not in names
    takes(world, "clerk", "secretary")
    for post in ("secretary", "clerk", "outsider"):
        with pytest.raises(Invalid) as refused:
            do(world, "clerk", ADD, slot, post=world.posts[post], place="beside")
        assert refused.value.details["field"] == "post"
    with pytest.raises(Invalid) as refused:
        do(world, "clerk", ADD, slot, post=world.posts["deputy"], place="above")
    assert refused.value.details["field"] == "place"
    with pytest.raises(MayNotAct):
        do(world, "deputy", ADD, slot, post=world.posts["deputy"], place="beside")
    add(world, "deputy", "beside")
    added = next(one for one, _, post in world.open_slots() if post == "deputy")
    assert ADD not in offered(world, "deputy", added)
    with pytest.raises(AlreadyDecided, match="由他人加签"):
        do(world, "deputy", ADD, added, post=world.posts["district_member"], place="beside")


def test_four_eyes_keep_out_who_had_a_hand_in_what_is_judged(world: World) -> None:
    world.answer("draft")
    world.answer("review", "agree", "discipline_secretary")
    world.answer("review", "agree", "inspection_head")
    world.answer("approve", "agree")
    settle(world)
    world.answer("do")
    slot = slot_of(world, "confirm")
    posts = [int(post) for post, _ in asked_by(world, "secretary", ADD, slot).fields[1].options]
    assert world.posts["clerk"] in posts
    assert world.posts["deputy"] not in posts


def test_more_than_three_in_a_step_and_any_after_the_date_are_refused(
    world: World, clock: Clock
) -> None:
    for post in ("deputy", "secretary", "district_member"):
        slot = add(world, post, "after")
    assert MOST_ADDED == 3
    with pytest.raises(AddedEnough):
        do(world, "clerk", ADD, slot, post=world.posts["district_secretary"], place="after")
    clock.forward(days=60)
    assert ADD not in offered(world, "clerk", slot)
    assert REMOVE in offered(world, "clerk", slot)
    with pytest.raises(AlreadyDecided, match="期限"):
        add(world, "district_secretary", "after")


def test_who_was_added_is_taken_away_by_who_added_them_or_above(world: World) -> None:
    slot = add(world, "deputy", "before")
    taken = slot_of(world, "draft")
    assert REMOVE not in offered(world, "deputy", taken)
    with pytest.raises(Invalid):
        do(world, "clerk", REMOVE, slot, post=world.posts["secretary"])
    do(world, "clerk", REMOVE, slot, post=world.posts["deputy"])
    assert world.waiting() == [("draft", "clerk")]
    assert (state(world, taken), told(world, "deputy", "opened")) == ("removed", 0)
    assert inbox(world, "deputy") == 0
    add(world, "secretary", "beside")
    add(world, "district_member", "after")
    assert REMOVE in offered(world, "secretary", slot)
    with pytest.raises(Invalid):  # who was added does not take away themselves
        do(world, "secretary", REMOVE, slot, post=world.posts["secretary"])
    do(world, "district_secretary", REMOVE, slot, post=world.posts["secretary"])
    world.answer("draft", "done", "clerk")
    assert world.waiting() == [("draft", "district_member")]
    with pytest.raises(MayNotAct):
        do(world, "town_discipline_secretary", REMOVE, slot, post=world.posts["deputy"])
    do(world, "clerk", REMOVE, slot, post=world.posts["district_member"])
    assert answers(world, "draft") == ["done"]
    with pytest.raises(AlreadyDecided):
        do(world, "clerk", REMOVE, slot, post=world.posts["district_member"])
    records = values(world, select(_acts.c.act).order_by(_acts.c.id))
    assert records == [ADD, REMOVE, ADD, ADD, REMOVE, REMOVE]


def test_who_was_added_and_answered_takes_it_back_and_is_asked_anew(world: World) -> None:
    add(world, "deputy", "before")
    add_slot = slot_of(world, "draft")
    world.answer("draft", "agree", "deputy")
    do(world, "deputy", Act.WITHDRAW, add_slot)
    assert world.waiting() == [("draft", "deputy")]
    world.answer("draft", "agree", "deputy")
    own = slot_of(world, "draft")
    add(world, "secretary", "after")
    world.answer("draft", "done", "clerk")
    assert Act.WITHDRAW not in offered(world, "clerk", own)  # the deputy spoke in the step
    do(world, "clerk", Act.CORRECT, own, text="另一句")
    world.answer("draft", "agree", "secretary")
    assert answers(world, "draft")[-1] == "done"


def test_who_is_asked_takes_back_and_those_added_are_added_again(world: World) -> None:
    slot = add(world, "deputy", "after")
    world.answer("draft", "done", "clerk")
    dates = set(due(world, "draft"))
    do(world, "clerk", Act.WITHDRAW, slot)
    assert world.waiting() == [("draft", "clerk")]
    assert set(due(world, "draft")) == dates
    world.answer("draft", "done", "clerk")
    world.answer("draft", "agree", "deputy")
    assert answers(world, "draft") == [None, "done"]


def test_what_waits_on_who_was_added_is_passed_on_extended_and_left(world: World) -> None:
    add(world, "deputy", "before")
    taken = slot_of(world, "draft")
    until = instant_on(date(2026, 6, 1)).date().isoformat()
    do(world, "deputy", Act.EXTEND, taken, until=until)
    do(world, "deputy", Act.TRANSFER, taken, post=world.posts["secretary"])
    assert ("draft", "secretary") in world.waiting()
    stand_in(world, "secretary", "district_member")
    gone(world, "clerk")  # while they are held
    settle(world)
    assert vacant(world) == []
    decide(
        world.env, world.actor("district_member"), slot_id=taken, answer="agree", key=world.key()
    )
    settle(world)
    assert vacant(world) == ["clerk"]
    come(world, "clerk")
    settle(world)
    (instead,) = values(
        world, select(_decisions.c.substitution_id).where(_decisions.c.slot_id == taken)
    )
    assert instead is not None


def test_nobody_answers_for_both_sides_of_what_was_added(world: World) -> None:
    """Who was added comes to hold the post that added them."""
    add(world, "deputy", "after")
    world.answer("draft", "done", "clerk")
    takes(world, "clerk", "deputy")
    slot = slot_of(world, "draft")
    with pytest.raises(SpeaksAlready):
        decide(world.env, world.actor("clerk"), slot_id=slot, answer="agree", key=world.key())
    assert answers(world, "draft") == [None]


def test_a_termination_ends_whoever_is_held_too(world: World) -> None:
    slot = add(world, "deputy", "before")
    (case_id,) = set(values(world, select(_steps.c.case_id)))
    terminate(
        world.env, world.actor("district_secretary"), case_id=case_id, reason="撤销", key="end"
    )
    assert state(world, slot) == "unreached"
    assert told(world, "clerk", "terminated") == 1
    with pytest.raises(AlreadyDecided, match="终止"):
        do(world, "clerk", REMOVE, slot, post=world.posts["deputy"])


def test_where_two_posts_become_one_who_was_added_is_asked_what_was_asked(world: World) -> None:
    slot = add(world, "deputy", "beside")
    add(world, "secretary", "after")
    give_to(world, slot, "deputy")
    assert world.waiting() == [("draft", "deputy")]
    world.answer("draft", "done", "deputy")
    world.answer("draft", "agree", "secretary")
    assert answers(world, "draft") == ["done"]


def test_who_became_one_with_an_adviser_who_spoke_is_asked_anew(world: World) -> None:
    slot = add(world, "deputy", "before")
    world.answer("draft", "agree", "deputy")
    give_to(world, slot, "deputy")
    assert world.waiting() == [("draft", "deputy")]
    world.answer("draft", "done", "deputy")
    assert answers(world, "draft")[-1] == "done"


def test_in_turn_the_next_waits_for_whom_the_one_before_added(walk: Walk) -> None:
    walk.open("waiting_turn", OPENED)
    world = walk.world
    slot = add(world, "district_member", "after", "clerk", "sign")
    with pytest.raises(Invalid):  # whose turn comes is asked anyway
        do(world, "clerk", ADD, slot, post=world.posts["secretary"], place="after")
    for post in ("clerk", "district_member", "deputy", "secretary"):
        assert world.waiting() == [("sign", post)]
        world.answer("sign", "agree", post)
    assert world.waiting() == []


def test_of_either_one_the_other_may_still_settle_it_alone(walk: Walk) -> None:
    walk.open("waiting_any", OPENED)
    world = walk.world
    add(world, "secretary", "before", "clerk", "sign")
    assert world.waiting() == [("sign", "deputy"), ("sign", "secretary")]
    world.answer("sign", "agree", "secretary")
    assert world.waiting() == [("sign", "clerk"), ("sign", "deputy")]
    world.answer("sign", "agree", "deputy")
    assert world.waiting() == []


def test_a_vote_has_its_voters(walk: Walk) -> None:
    walk.open("waiting_vote", OPENED)
    world = walk.world
    slot = slot_of(world, "vote")
    assert ADD not in offered(world, "clerk", slot)
    with pytest.raises(AlreadyDecided, match="票决"):
        do(world, "clerk", ADD, slot, post=world.posts["district_member"], place="beside")


def test_rungs_fire_for_who_is_asked_and_not_for_who_is_held(walk: Walk) -> None:
    walk.open("waiting_letters", OPENED)
    world = walk.world
    slot = add(world, "deputy", "before", "clerk", "plan")
    walk.until(date(2026, 3, 2))
    taken = next(one for one, key, _ in world.open_slots() if key == "plan")
    assert {rung.slot_id for rung in walk.rungs()} == {taken}
    world.answer("plan", "agree", "deputy")
    walk.until(date(2026, 3, 20))
    assert slot in {rung.slot_id for rung in walk.rungs()}
    assert SlotState.HELD not in values(world, select(_slots.c.state))
