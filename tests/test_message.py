"""What a person reads in our pages: their messages, with the facts as they are now."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from models.base import table
from models.casework import Step
from models.message import Message
from policy.deadline import due_day
from services.env import Env
from services.message import ShownMessage, messages_for, unread
from services.scope import post_name
from services.telling import mark_read, tell_operator, withdraw
from tests.telling import Desk, desk

_messages, _steps = table(Message), table(Step)


@pytest.fixture
def at(env: Env) -> Desk:
    """A cast on each database."""
    return desk(env)


def of(at: Desk, post: str, *, unread_only: bool = False) -> list[ShownMessage]:
    with at.env.engine.connect() as db:
        return messages_for(db, at.world.people[post], unread_only=unread_only)


def badge(at: Desk, post: str) -> int:
    with at.env.engine.connect() as db:
        return unread(db, at.world.people[post])


def test_a_message_names_the_case_its_unit_and_the_date_as_they_are_now(at: Desk) -> None:
    at.open_case()
    (message,) = of(at, "clerk")
    assert "（CS-2026-1）" in message.body
    assert "梧桐路街道党工委" in message.body
    assert (message.read, message.at) == (False, at.clock())
    with at.env.engine.begin() as db:
        step = db.execute(select(_steps).where(_steps.c.id == message.step_id)).one()
        assert message.case_id == step.case_id
        later = step.due_at + timedelta(days=30)
        db.execute(update(_steps).where(_steps.c.id == step.id).values(due_at=later))
    (message,) = of(at, "clerk")
    day: date = due_day(later)
    assert f"{day.year}年{day.month}月{day.day}日" in message.body


def test_a_step_whose_title_the_catalogue_lacks_is_not_shown_by_its_key(at: Desk) -> None:
    at.open_case()
    (message,) = of(at, "clerk")
    assert "step." not in message.title + message.body
    assert "待办事项" in message.title


def test_a_post_in_the_context_is_named_and_a_person_never(at: Desk) -> None:
    at.tell("secretary", "gap", post_id=at.world.posts["clerk"])
    (message,) = of(at, "secretary")
    assert post_name("梧桐路街道党工委", "联络员") in message.title
    assert at.world.people["clerk"]
    assert "town" not in message.title + message.body  # people are named so in this cast


def test_the_badge_counts_what_the_list_of_unread_ones_shows(at: Desk) -> None:
    ids = [at.tell("clerk") for _ in range(4)]
    at.tell("secretary")
    clerk = at.world.people["clerk"]
    with at.env.engine.begin() as db:
        assert mark_read(db, clerk, ids[:1], at.clock()) == 1
        db.execute(
            update(_messages).where(_messages.c.id.in_(ids[:2])).values(withdrawn_at=at.clock())
        )
    assert badge(at, "clerk") == len(of(at, "clerk", unread_only=True)) == 2
    assert [message.id for message in of(at, "clerk")] == [ids[3], ids[2], ids[0]]
    assert badge(at, "outsider") == 0
    assert of(at, "outsider") == []


def test_nobody_marks_somebody_elses_message_as_read(at: Desk) -> None:
    message = at.tell("clerk")
    with at.env.engine.begin() as db:
        assert mark_read(db, at.world.people["outsider"], [message], at.clock()) == 0
    assert badge(at, "clerk") == 1


def test_pages_go_on_by_the_last_message_seen(at: Desk) -> None:
    ids = [at.tell("clerk") for _ in range(5)]
    person = at.world.people["clerk"]
    with at.env.engine.connect() as db:
        first = messages_for(db, person, limit=2)
        second = messages_for(db, person, limit=2, before=first[-1].id)
        third = messages_for(db, person, limit=2, before=second[-1].id)
    assert [message.id for message in first + second + third] == ids[::-1]


def test_the_operator_is_told_of_a_thing_once(at: Desk) -> None:
    operator = at.world.people["operator"]
    for _ in range(2):
        with at.env.engine.begin() as db:
            assert tell_operator(
                db,
                operator=operator,
                key="branch:1:2026-11-30",
                template="operator",
                context={"branch_id": 1},
                now=at.clock(),
            )
    (message,) = of(at, "operator")
    assert "流程分支（编号 1）受阻" in message.body


def test_a_message_of_a_step_that_ended_disappears_unless_it_was_read(at: Desk) -> None:
    at.open_case()
    (message,) = of(at, "clerk")
    assert message.step_id is not None
    with at.env.engine.begin() as db:
        withdraw(db, message.step_id, at.clock())
    assert of(at, "clerk") == []
    assert badge(at, "clerk") == 0
