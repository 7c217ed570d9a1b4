"""缺位: one case for each vacant post, for its superior, until somebody holds it again (rule O)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, text

from models.base import table
from models.casework import Case, Decision, Step
from models.message import Message
from models.organisation import Appointment
from models.vacancy import Handover, HandoverItem
from services.appointing import appoint
from services.casework import decide
from services.casework.vacancies import find_vacancies
from services.command import SYSTEM
from services.errors import Invalid
from services.watch import sweep
from tests.parts_case import start, values
from tests.vacancy_scene import MECHANISM, come, gone, holds, settle, today, town, vacant
from tests.world import Clock, World

_cases, _messages, _steps = table(Case), table(Message), table(Step)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from town(engine, clock)


def of_vacancies(world: World) -> list[str]:
    """The states of the cases."""
    mine = select(_cases.c.state).where(_cases.c.mechanism == MECHANISM)
    return [str(state) for state in values(world, mine.order_by(_cases.c.id))]


def names(world: World, post: str, person: str | None, **given: object) -> None:
    """The superior answers: this person takes the vacant post over."""
    slot = next(slot for slot in world.open_slots() if slot[1:] == ("name-holder", post))
    payload = {"person": world.people[person] if person else None}
    answer = {"slot_id": slot[0], "answer": "done", "payload": payload, **given}
    decide(world.env, world.actor(post), key=world.key(), **answer)  # type: ignore[arg-type]


def test_however_much_waits_on_a_post_its_vacancy_is_one_case(world: World) -> None:
    for n in range(3):
        start(world, number=f"试〔2026〕{n}号")
    gone(world, "clerk")
    settle(world)
    assert vacant(world) == ["clerk"]
    assert world.waiting() == [("draft", "clerk")] * 3 + [("name-holder", "secretary")]
    start(world, number="试〔2026〕9号")
    settle(world)
    assert vacant(world) == ["clerk"]
    assert of_vacancies(world) == ["open"]
    holds(world)


def test_the_superior_is_told_once_and_by_nothing_else(world: World) -> None:
    for n in range(3):
        start(world, number=f"试〔2026〕{n}号")
    gone(world, "clerk")
    settle(world)
    mine = _messages.c.person_id == world.people["secretary"]
    assert values(world, select(_messages.c.template).where(mine)) == ["opened"]


def test_a_step_that_opens_on_a_vacant_post_notes_it(world: World) -> None:
    gone(world, "clerk")
    settle(world)
    assert vacant(world) == []  # nothing waits on it
    start(world)
    settle(world)
    assert vacant(world) == ["clerk"]
    holds(world)


def test_who_is_named_holds_the_post_until_somebody_who_is_registered_for_later(
    world: World, clock: Clock
) -> None:
    start(world)
    gone(world, "clerk")
    settle(world)
    come(world, "clerk", in_days=30)
    names(world, "secretary", "deputy")
    settle(world)
    assert of_vacancies(world) == ["ended"]
    held = table(Appointment)
    mine = held.c.post_id == world.posts["clerk"], held.c.person_id == world.people["deputy"]
    assert values(world, select(held.c.ends_on).where(*mine)) == [today(world) + timedelta(days=30)]
    assert world.waiting() == [("draft", "clerk")]
    holds(world)
    clock.forward(days=30)
    sweep(world.env)
    settle(world)
    assert vacant(world) == []
    holds(world)


def test_it_ends_when_somebody_holds_the_post_again(world: World) -> None:
    start(world)
    gone(world, "clerk")
    settle(world)
    come(world, "clerk")
    settle(world)
    assert (vacant(world), vacant(world, ended=True)) == ([], ["clerk"])
    assert of_vacancies(world) == ["ended"]
    assert world.waiting() == [("draft", "clerk")]
    asked = select(_steps.c.state, _steps.c.answer).where(_steps.c.key == "name-holder")
    with world.env.engine.connect() as db:
        assert [tuple(row) for row in db.execute(asked)] == [("closed", "overtaken")]
    assert values(world, select(table(Decision).c.id)) == []  # nobody decided for the silent
    holds(world)


def test_the_superior_names_a_holder_who_is_handed_what_is_open(world: World) -> None:
    start(world)
    gone(world, "clerk")
    settle(world)
    names(world, "secretary", "deputy")
    settle(world)
    assert vacant(world) == []
    assert of_vacancies(world) == ["ended"]
    assert values(world, select(func.count()).select_from(table(HandoverItem))) == [1]
    mine = _messages.c.person_id == world.people["deputy"], _messages.c.template == "handover"
    assert len(values(world, select(_messages.c.id).where(*mine))) == 1
    world.people["clerk"] = world.people["deputy"]
    world.answer("draft")
    holds(world)


def test_a_post_on_which_something_waits_is_not_left_unfilled(world: World) -> None:
    start(world)
    gone(world, "clerk")
    settle(world)
    with pytest.raises(Invalid, match="还有 1 项待办"):
        names(world, "secretary", None)
    with pytest.raises(Invalid, match="从名单中选择"):
        names(world, "secretary", "outsider")
    holds(world)


def test_a_post_that_nothing_waits_on_may_be_left_unfilled(world: World) -> None:
    case = start(world)
    gone(world, "clerk")
    settle(world)
    with world.env.engine.begin() as db:  # what waited goes another way
        db.execute(text("UPDATE slot SET post_id = :p WHERE post_id = :q"), post_ids(world))
    names(world, "secretary", None)
    settle(world)
    assert vacant(world) == []
    assert of_vacancies(world) == ["ended"]
    assert case


def post_ids(world: World) -> dict[str, int]:
    return {"p": world.posts["deputy"], "q": world.posts["clerk"]}


def test_the_nearest_superior_who_is_there_is_asked(world: World) -> None:
    start(world)
    gone(world, "secretary")
    gone(world, "clerk")
    settle(world)
    assert ("name-holder", "district_member") in world.waiting()
    holds(world)


def test_a_superior_who_leaves_with_a_vacancy_on_the_desk_leaves_a_vacancy(world: World) -> None:
    start(world)
    gone(world, "clerk")
    settle(world)
    gone(world, "secretary")
    settle(world)
    assert vacant(world) == ["clerk", "secretary"]
    assert world.waiting()[1:] == [("name-holder", "secretary"), ("name-holder", "district_member")]
    holds(world)


def test_a_term_that_ends_by_the_day_is_found_that_day(world: World, clock: Clock) -> None:
    start(world)
    gone(world, "clerk", in_days=2)
    for _ in range(2):
        sweep(world.env)
        settle(world)
        assert vacant(world) == []
        clock.forward(days=1)
    sweep(world.env)
    settle(world)
    assert vacant(world) == ["clerk"]
    assert find_vacancies(world.env) == 0
    holds(world)


def test_a_term_that_begins_by_the_day_ends_it_and_is_handed_the_list(
    world: World, clock: Clock
) -> None:
    start(world)
    gone(world, "clerk")
    come(world, "clerk", in_days=1)
    settle(world)
    assert vacant(world) == ["clerk"]
    assert values(world, select(table(Handover).c.id)) == []
    clock.forward(days=1)
    sweep(world.env)
    settle(world)
    assert vacant(world) == []
    assert len(values(world, select(table(Handover).c.id))) == 1
    clock.forward(days=1)
    sweep(world.env)
    assert len(values(world, select(table(Handover).c.id))) == 1
    holds(world)


def test_its_own_ladder_goes_on_above_the_superior(world: World, clock: Clock) -> None:
    start(world)
    gone(world, "clerk")
    settle(world)
    for _ in range(20):
        clock.forward(days=1)
        sweep(world.env)
        settle(world)
    raised = [post for key, post in world.waiting() if key.startswith("rung:")]
    assert "district_member" in raised
    assert vacant(world) == ["clerk"]
    holds(world)


def test_a_post_becomes_vacant_again_by_another_case(world: World) -> None:
    start(world)
    for name in ("甲", "乙"):
        gone(world, "clerk")
        settle(world)
        come(world, "clerk", name)
        settle(world)
    assert of_vacancies(world) == ["ended", "ended"]
    holds(world)


def test_two_holders_of_one_post_are_refused(world: World) -> None:
    with pytest.raises(Exception, match="已有人担任"):
        come(world, "clerk")
    of = {"post_id": world.posts["clerk"], "starts_on": today(world)}
    with pytest.raises(Exception, match="已有人担任"):
        appoint(world.env, SYSTEM, **of, person_id=world.people["deputy"], key="k")  # type: ignore[arg-type]
