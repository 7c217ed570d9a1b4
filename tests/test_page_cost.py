"""What a page asks of the database does not grow with its rows, and a page has a last row."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from models.base import table
from models.casework import Slot, Step
from policy.calendar import instant_on
from services.database import open_engine, reading
from services.env import Env
from services.inbox import PAGE, Inbox, Item
from services.scope import Standing, standing
from services.step_page import Content, step_page
from tests import waiting, world
from tests.waiting import PLAN, Walk
from tests.world import lay_out

UP_TO = (date(2026, 3, 30), date(2026, 4, 10), date(2026, 5, 1))
"""Days on which the next rung is a message, a superior, and a letter to a discipline organ."""
_slots = table(Slot)
_steps = table(Step)


def late(tasks: int, day: date) -> Walk:
    """So many tasks of the clerk are due on 31 March, and it is ``day``."""
    engine, clock = open_engine("sqlite://"), world.Clock()
    lay_out(engine)
    walk = waiting.walk_in(Env(engine, clock), clock)
    PLAN.tasks, PLAN.due_on = tasks, date(2026, 3, 31)
    walk.open("waiting_many", instant_on(date(2026, 3, 30), 10))
    walk.until(day, hours=(9,))
    return walk


@contextmanager
def asking(walk: Walk, post: str) -> Iterator[tuple[Connection, Standing, list[str]]]:
    """Somebody looks; what their page asks is heard from here on."""
    said: list[str] = []

    def hear(db: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement)

    engine = walk.world.env.engine
    with reading(engine) as db:
        who = standing(db, walk.world.people[post], walk.today)
        Inbox(who).items(db, walk.clock.now)  # the versions are kept from now on
        event.listen(engine, "before_cursor_execute", hear)
        yield db, who, said
    event.remove(engine, "before_cursor_execute", hear)
    engine.dispose()


def inbox(walk: Walk) -> tuple[list[Item], int]:
    """What waits on the clerk, and how many statements that took."""
    with asking(walk, "clerk") as (db, who, said):
        return Inbox(who).items(db, walk.clock.now), len(said)


def duty(walk: Walk) -> tuple[Content, int]:
    """The secretary's list, and how many statements its page took."""
    of_list = select(_slots.c.id).join(_steps, _steps.c.id == _slots.c.step_id)
    with asking(walk, "secretary") as (db, who, said):
        slot = db.execute(of_list.where(_steps.c.key.startswith("rung:superior:"))).scalar_one()
        said.clear()
        return step_page(db, who, slot, walk.clock.now).content, len(said)


@pytest.mark.parametrize("day", UP_TO)
def test_an_inbox_of_fifty_asks_as_much_as_one_of_five(day: date) -> None:
    few, asked = inbox(late(5, day))
    many, asked_for_many = inbox(late(50, day))
    assert (len(few), len(many)) == (5, 50)
    assert {item.next_rung for item in many} == {item.next_rung for item in few} != {None}
    assert asked == asked_for_many < 20


def test_a_superiors_list_ends_and_tells_how_many_more_there_are() -> None:
    few, asked = duty(late(5, UP_TO[1]))
    many, asked_for_many = duty(late(PAGE + 3, UP_TO[1]))
    assert (len(few.members), few.late) == (5, 5)
    assert (len(many.members), many.late) == (PAGE, PAGE + 3)
    assert asked == asked_for_many
