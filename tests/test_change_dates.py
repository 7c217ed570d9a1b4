"""What begins or ends later keeps its days when its post or unit changes; whose work may go where;
who is handed a list."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from models.base import table
from models.organisation import Appointment, Organisation, Portfolio, PostKind, Relation
from models.vacancy import Handover
from services.command import Work
from services.errors import Invalid
from services.merging import ending, merge_unit
from services.organisers import unit_of
from services.posting import create_post
from services.splitting import Parts, splitting
from services.watch import sweep
from tests.parts_case import start, values
from tests.test_appointing import abolish
from tests.test_reorganising import merged, moved, split
from tests.test_rerouting import give
from tests.vacancy_scene import come, gone, holds, settle, today, town
from tests.world import Clock, World, appoint

_held, _handovers = table(Appointment), table(Handover)
_portfolios, _relations = table(Portfolio), table(Relation)
SOON, LATE, OVER = date(2026, 4, 1), date(2026, 6, 1), date(2026, 9, 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from town(engine, clock)


def dated(world: World, rows: Any, starts_on: date, ends_on: date | None, **values_: Any) -> None:
    """A portfolio or a relation from a day to a day."""
    row = {**values_, "starts_on": starts_on, "ends_on": ends_on}
    world.do(lambda work: {"n": work.db.execute(insert(rows), row).rowcount})


def days(world: World, rows: Any, *conditions: Any) -> list[tuple[date, date | None]]:
    """From when to when, without what never began."""
    query = select(rows.c.starts_on, rows.c.ends_on).where(*conditions).order_by(rows.c.starts_on)
    with world.env.engine.connect() as db:
        return [tuple(row) for row in db.execute(query) if row.starts_on != row.ends_on]


def test_what_an_abolished_post_leads_later_its_successor_leads_then(world: World) -> None:
    member, unit = world.posts["district_member"], world.organisations["other"]
    dated(world, _portfolios, date(2025, 1, 1), SOON, post_id=member, unit_id=unit)
    dated(world, _portfolios, LATE, OVER, post_id=member, unit_id=unit)
    abolish(world, "district_member", "district_secretary")
    over = _portfolios.c.unit_id == unit
    secretary = _portfolios.c.post_id == world.posts["district_secretary"]
    assert days(world, _portfolios, over, secretary) == [(today(world), SOON), (LATE, OVER)]
    assert days(world, _portfolios, over, _portfolios.c.post_id == member) == [
        (date(2025, 1, 1), today(world))
    ]


def test_who_leads_it_already_is_not_entered_twice(world: World) -> None:
    member, secretary = world.posts["district_member"], world.posts["district_secretary"]
    unit = world.organisations["other"]
    dated(world, _portfolios, date(2025, 1, 1), None, post_id=member, unit_id=unit)
    dated(world, _portfolios, date(2025, 1, 1), SOON, post_id=secretary, unit_id=unit)
    abolish(world, "district_member", "district_secretary")
    theirs = _portfolios.c.unit_id == unit, _portfolios.c.post_id == secretary
    assert days(world, _portfolios, *theirs) == [(date(2025, 1, 1), SOON), (SOON, None)]


def test_whom_a_merged_organ_serves_its_successor_serves_on_the_same_days(world: World) -> None:
    of = world.organisations
    served = {"organ_id": of["inspection"], "kind": "inspection_office"}
    dated(world, _relations, date(2025, 1, 1), SOON, served_id=of["town"], **served)
    dated(world, _relations, LATE, OVER, served_id=of["other"], **served)
    merged(world, "inspection", "personnel", {})
    new = _relations.c.organ_id == of["personnel"], _relations.c.kind == "inspection_office"
    for unit, span in (("town", (today(world), SOON)), ("other", (LATE, OVER))):
        assert days(world, _relations, *new, _relations.c.served_id == of[unit]) == [span]
    old = _relations.c.organ_id == of["inspection"], _relations.c.served_id == of["other"]
    assert days(world, _relations, *old) == []


def test_who_leads_or_serves_a_unit_later_does_so_for_what_is_split_off(world: World) -> None:
    of, secretary = world.organisations, world.posts["district_secretary"]
    served = {"organ_id": of["inspection"], "kind": "inspection_office"}
    dated(world, _relations, LATE, OVER, served_id=of["town"], **served)
    dated(world, _portfolios, date(2025, 1, 1), SOON, post_id=secretary, unit_id=of["town"])
    made = split(world, Parts([world.posts["clerk"]]))
    serves = _relations.c.served_id == made, _relations.c.organ_id == of["inspection"]
    assert days(world, _relations, *serves) == [(LATE, OVER)]
    leads = _portfolios.c.unit_id == made, _portfolios.c.post_id == secretary
    assert days(world, _portfolios, *leads) == [(today(world), SOON)]


def test_what_the_old_line_would_do_later_never_begins(world: World) -> None:
    of = world.organisations
    district = {"post_id": world.posts["district_member"], "unit_id": of["town_discipline"]}
    dated(world, _portfolios, LATE, None, **district)
    county = {"code": "county", "name": "云山县委", "short_name": "云山县委", "level": "区"}
    row = {**county, "kind": "党委", "path": "/900/", "id": 900}
    world.do(lambda work: {"n": work.db.execute(insert(table(Organisation)), row).rowcount})
    of["county"] = 900
    moved(world, "town", "county")
    later = _portfolios.c.unit_id == of["town_discipline"]
    assert days(world, _portfolios, later) == []


def test_a_merger_gives_work_to_nobody_far_off(world: World) -> None:
    start(world)
    with pytest.raises(Invalid, match="从所列的职务"):
        merged(world, "town", "other", {"clerk": "inspection_head"})
    assert world.waiting() == [("draft", "clerk")]


def test_work_does_not_go_above_who_merges(world: World) -> None:
    """A 系统运维员 of the town merges an office of the town, and gives nothing to the district."""
    of: Any = {"kind": PostKind.OPERATOR, "title": "系统运维员", "rank": 9}
    town_ = world.organisations["town"]
    world.posts["mender"] = create_post(
        world.env, world.actor("operator"), unit_id=town_, **of, key="p"
    )
    world.people["mender"] = world.people["deputy"]
    world.do(lambda work: {"n": appoint(work, world.posts["mender"], world.people["mender"])})
    organ = world.organisations["town_discipline"]
    given: Any = {"unit_id": organ, "into": town_, "seen": "", "key": "m"}
    for target in ("district_secretary", "district_member"):
        given["targets"] = {world.posts["town_discipline_secretary"]: world.posts[target]}
        with pytest.raises(Invalid, match="从所列的职务"):
            merge_unit(world.env, world.actor("mender"), **given)


def test_the_fingerprint_says_where_a_unit_stands(world: World) -> None:
    of: Any = {"unit_id": world.organisations["town_discipline"], "targets": {}}
    into = world.organisations["town"]

    def seen() -> str:
        with world.env.engine.connect() as db:
            unit = unit_of(db, None, of["unit_id"])
            return ending(db, None, unit, into, {}, today(world)).moves.fingerprint

    before = seen()
    moved(world, "town", "other")
    assert seen() != before


def test_nobody_splits_their_own_unit_into_one_beside_it(world: World) -> None:
    district, parts = world.organisations["district"], Parts([world.posts["district_member"]])
    with world.env.engine.connect() as db:
        unit = unit_of(db, None, district)
        with pytest.raises(Invalid, match="归上级管理"):
            splitting(db, None, unit, parts, today(world))


def test_who_was_given_a_step_of_an_older_day_took_nothing_over(world: World, clock: Clock) -> None:
    start(world)
    clock.forward(days=3)
    gone(world, "deputy")
    come(world, "deputy")
    clock.forward(days=1)
    give(world, "draft", "deputy")
    clock.forward(days=1)
    sweep(world.env)
    settle(world)
    assert values(world, select(_handovers.c.id)) == []
    holds(world)


def test_who_goes_on_in_a_post_takes_nothing_over(world: World, clock: Clock) -> None:
    start(world)
    clock.forward(days=3)
    renewed(world, "clerk", world.people["clerk"])
    sweep(world.env)
    assert values(world, select(_handovers.c.id)) == []


@pytest.mark.parametrize(("hour", "lists"), [(-2, 0), (-26, 1)])
def test_days_are_those_of_shanghai(world: World, clock: Clock, hour: int, lists: int) -> None:
    """Seven in the morning there is the day before in Greenwich."""
    clock.forward(hours=hour)
    begins = date(2026, 3, 2)
    if lists == 0:
        renewed(world, "clerk", world.people["deputy"], begins)
    start(world)
    if lists:
        renewed(world, "clerk", world.people["deputy"], begins)
    clock.forward(days=2)
    sweep(world.env)
    assert len(values(world, select(_handovers.c.id))) == lists


def renewed(world: World, post: str, person_id: int, on: date | None = None) -> None:
    """An import ends a term and begins another."""
    first = on or today(world)
    post_id = world.posts[post]

    def act(work: Work) -> dict[str, int]:
        held = _held.c.post_id == post_id, _held.c.ends_on.is_(None)
        work.db.execute(update(_held).where(*held).values(ends_on=first))
        row = {"post_id": post_id, "person_id": person_id, "starts_on": first}
        return {"n": work.db.execute(insert(_held), row).rowcount}

    world.do(act)
