"""转办、接办、催办: who may, what changes, what does not, and what is told."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import datetimes, lists
from sqlalchemy import Engine, delete, select, update

from models.act import ActRecord
from models.base import table
from models.casework import Case, RunWake
from policy.acts import RULES, URGES_IN_ALL, Act, may_urge
from services.acts.acting import MayNotAct
from services.acts.registry import KINDS
from services.acts.taking_over import CannotTakeOver
from services.acts.transfer import PassedOnAlready
from services.acts.urging import UrgedEnough
from services.errors import AlreadyDecided, Invalid, KeyReused, NotAuthorised, NotFound
from services.mirror import changed, mirror
from tests.acts_scene import asked_by, do, due, offered, slot_of, stand_in, told
from tests.parts_case import approve, start, values
from tests.vacancy_scene import holds, settle, town
from tests.world import Clock, World

_acts, _cases, _wakes = table(ActRecord), table(Case), table(RunWake)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    for made in town(engine, clock):
        start(made)
        yield made


def test_every_act_has_a_rule_and_a_deed() -> None:
    assert set(Act) == set(RULES) == set(KINDS)


def test_who_may_do_what_follows_from_what_they_are_to_it(world: World) -> None:
    slot = slot_of(world, "draft")
    asked = {Act.TRANSFER, Act.EXTEND, Act.ADD_APPROVER, Act.DELEGATE}
    assert offered(world, "clerk", slot) == asked
    assert offered(world, "secretary", slot) == {Act.TAKE_OVER, Act.URGE}
    assert offered(world, "district_secretary", slot) == {Act.TAKE_OVER, Act.URGE}
    assert offered(world, "town_discipline_secretary", slot) == set()


@pytest.mark.parametrize("act", list(Act))
def test_a_stranger_learns_nothing_and_a_looker_on_is_refused(world: World, act: Act) -> None:
    slot = slot_of(world, "draft")
    for missing, by in ((slot, "outsider"), (10**9, "clerk")):
        with pytest.raises(NotFound) as refused:
            do(world, by, act, missing, post=1)
        assert not isinstance(refused.value, NotAuthorised)
    with pytest.raises(MayNotAct):
        do(world, "town_discipline_secretary", act, slot, post=1)
    assert values(world, select(_acts.c.id)) == []


def test_who_is_asked_passes_it_on_once_within_the_unit(world: World) -> None:
    slot, before = slot_of(world, "draft"), due(world, "draft")
    form = asked_by(world, "clerk", Act.TRANSFER, slot)
    assert [name for _, name in form.fields[0].options] == [
        "梧桐路街道党工委书记",
        "梧桐路街道党工委副书记",
    ]
    for far in ("inspection_head", "outsider", "clerk"):
        with pytest.raises(Invalid) as refused:
            do(world, "clerk", Act.TRANSFER, slot, post=world.posts[far])
        assert refused.value.details["field"] == "post"
    do(world, "clerk", Act.TRANSFER, slot, post=world.posts["deputy"])
    assert world.waiting() == [("draft", "deputy")]
    assert due(world, "draft") == before
    assert (told(world, "clerk", "opened"), told(world, "deputy", "opened")) == (0, 1)
    with pytest.raises(PassedOnAlready):
        do(world, "deputy", Act.TRANSFER, slot, post=world.posts["clerk"])
    holds(world)
    world.answer("draft")
    holds(world)


def test_a_superior_takes_it_over_and_decides(world: World) -> None:
    slot = slot_of(world, "draft")
    do(world, "secretary", Act.TAKE_OVER, slot)
    assert world.waiting() == [("draft", "secretary")]
    assert offered(world, "clerk", slot) == {Act.RECORD}, "of what the secretary may sign"
    world.answer("draft")
    holds(world)


def test_what_prefect_shows_names_who_is_asked_now(world: World, clock: Clock) -> None:
    slot = slot_of(world, "draft")
    shown = update(_cases).values(run_id="run", mirrored="待办", tabled="", mirrored_at=clock.now)
    with world.env.engine.begin() as db:
        db.execute(shown)
        db.execute(delete(_wakes))
    clock.forward(days=1)
    assert changed(world.env, clock.now, 10) == []
    do(world, "clerk", Act.TRANSFER, slot, post=world.posts["deputy"])
    (case,) = changed(world.env, clock.now, 10)
    assert "副书记" in mirror(world.env, case.case_id).message


def test_nobody_takes_over_what_four_eyes_keep_them_from(world: World) -> None:
    """The deputy did the work; its check is not theirs, whatever their post."""
    approve(world)
    settle(world)
    world.answer("do")
    slot = slot_of(world, "confirm")
    stand_in(world, "deputy", "district_secretary")
    with pytest.raises(CannotTakeOver):
        do(world, "district_secretary", Act.TAKE_OVER, slot)
    do(world, "district_member", Act.TAKE_OVER, slot)
    holds(world)


def test_an_urge_tells_and_is_capped(world: World, clock: Clock) -> None:
    slot = slot_of(world, "draft")
    for day in range(URGES_IN_ALL):
        do(world, "district_secretary", Act.URGE, slot, reason="")
        assert told(world, "clerk", "urged") == day + 1
        with pytest.raises(UrgedEnough):
            do(world, "secretary", Act.URGE, slot)
        clock.forward(days=1)
    with pytest.raises(UrgedEnough):
        do(world, "secretary", Act.URGE, slot)
    assert world.waiting() == [("draft", "clerk")]
    holds(world)


def test_the_office_that_leads_the_case_may_urge_and_no_more(world: World) -> None:
    world.answer("draft")
    world.answer("review", "agree", "discipline_secretary")
    world.answer("review", "agree", "inspection_head")
    slot = slot_of(world, "approve")
    assert offered(world, "inspection_head", slot) == {Act.URGE}
    do(world, "inspection_head", Act.URGE, slot)
    with pytest.raises(MayNotAct):
        do(world, "inspection_head", Act.TAKE_OVER, slot)


@given(lists(datetimes(), max_size=6), datetimes())
def test_nobody_is_urged_more_than_once_a_day_and_three_times(before: Any, now: Any) -> None:
    moments = [at.replace(tzinfo=UTC) for at in before]
    if may_urge(moments, now.replace(tzinfo=UTC)):
        assert len(moments) < URGES_IN_ALL
        assert now.replace(tzinfo=UTC) not in moments


def test_a_substitute_acts_in_the_holders_place_and_it_is_said(world: World) -> None:
    stand_in(world, "clerk", "secretary")
    slot = slot_of(world, "draft")
    do(world, "secretary", Act.TRANSFER, slot, post=world.posts["deputy"])
    (instead,) = values(world, select(_acts.c.substitution_id))
    assert instead is not None


def test_what_is_wrong_is_named_and_nothing_is_kept(world: World) -> None:
    slot, post = slot_of(world, "draft"), world.posts["deputy"]
    for reason, said in (("", "原因"), ("长" * 501, "500"), ("标有机密★", "密级")):
        with pytest.raises(Invalid, match=said) as refused:
            do(world, "clerk", Act.TRANSFER, slot, reason=reason, post=post)
        assert refused.value.details["field"] == "reason"
    for value in ("", "x", "999999"):
        with pytest.raises(Invalid) as refused:
            do(world, "clerk", Act.TRANSFER, slot, post=value)
        assert refused.value.details["field"] == "post"
    assert values(world, select(_acts.c.id)) == []


def test_the_same_request_acts_once_and_another_under_its_key_is_refused(world: World) -> None:
    slot = slot_of(world, "draft")
    for _ in range(2):
        do(world, "clerk", Act.TRANSFER, slot, "one-key", post=world.posts["deputy"])
    with pytest.raises(KeyReused):
        do(world, "clerk", Act.TRANSFER, slot, "one-key", post=world.posts["secretary"])
    assert len(values(world, select(_acts.c.id))) == 1


def test_what_was_decided_meanwhile_is_left_alone(world: World) -> None:
    slot = slot_of(world, "draft")
    world.answer("draft")
    for by, act in (("clerk", Act.TRANSFER), ("secretary", Act.TAKE_OVER)):
        assert act not in offered(world, by, slot)
        with pytest.raises(AlreadyDecided):
            do(world, by, act, slot, post=world.posts["deputy"])
