"""更名、划转、合并、拆分、撤销 in mid-case: work keeps its people, old names stay in history."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from models.base import table
from models.casework import Case
from models.organisation import (
    FormerOrganisation,
    FormerPost,
    Organisation,
    Portfolio,
    Post,
    Relation,
)
from services.command import SYSTEM
from services.errors import Invalid, NotFound
from services.merging import TargetsNeeded, ending, merge_unit
from services.organisers import Changed, unit_of
from services.posts import superiors
from services.reorganising import move_unit, moving, rename_unit, renaming
from services.splitting import CodeTaken, Parts, split_unit, splitting
from tests.parts_case import start, values
from tests.vacancy_scene import gone, holds, settle, today, town, vacant
from tests.world import Clock, World

_cases, _former = table(Case), table(FormerOrganisation)
_organisations, _posts = table(Organisation), table(Post)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from town(engine, clock)


def moved(world: World, unit: str, to: str, post: str = "") -> None:
    """The unit is put under another one, as it was seen."""
    of = {"unit_id": world.organisations[unit], "to": world.organisations[to]}
    with world.env.engine.connect() as db:
        found = moving(db, None, unit_of(db, None, of["unit_id"]), of["to"], today(world))
    actor = world.actor(post) if post else SYSTEM
    move_unit(world.env, actor, **of, seen=found.fingerprint, key=world.key())


def merged(world: World, unit: str, into: str, targets: dict[str, str]) -> int:
    """The unit is merged into another one, as it was seen."""
    of: Any = {"unit_id": world.organisations[unit], "into": world.organisations[into]}
    of["targets"] = {world.posts[old]: world.posts[new] for old, new in targets.items()}
    with world.env.engine.connect() as db:
        unit_ = unit_of(db, None, of["unit_id"])
        found = ending(db, None, unit_, of["into"], of["targets"], today(world))
    return merge_unit(world.env, SYSTEM, **of, seen=found.moves.fingerprint, key=world.key())


def split(world: World, parts: Parts, **given: Any) -> int:
    """Posts of the town become a unit beside it."""
    of: Any = {"unit_id": world.organisations["town"], "parts": parts}
    with world.env.engine.connect() as db:
        found = splitting(db, None, unit_of(db, None, of["unit_id"]), parts, today(world))
    of |= {"code": "park", "name": "梧桐路园区党工委", "short_name": "梧桐路园区", **given}
    return split_unit(world.env, SYSTEM, **of, seen=found.moves.fingerprint, key=world.key())


def line(world: World, unit: int) -> str:
    return str(values(world, select(_organisations.c.path).where(_organisations.c.id == unit))[0])


def test_an_old_name_stays_in_history(world: World) -> None:
    of: Any = {"unit_id": world.organisations["town"]}
    with world.env.engine.connect() as db:
        seen = renaming(db, unit_of(db, None, of["unit_id"]), today(world)).fingerprint
    for name in ("", "长" * 81, "梧桐路街道党工委"):
        given: Any = {"name": name, "short_name": name, "seen": seen}
        with pytest.raises(Invalid):
            rename_unit(world.env, SYSTEM, **of, **given, key=world.key())
    given = {"name": "梧桐街道党工委", "short_name": "梧桐街道", "seen": seen}
    rename_unit(world.env, world.actor("operator"), **of, **given, key=world.key())
    kept = select(_former.c.name, _former.c.parent_id, _former.c.ends_on)
    with world.env.engine.connect() as db:
        found = [tuple(row) for row in db.execute(kept)]
    assert found == [("梧桐路街道党工委", world.organisations["district"], today(world))]
    names = select(_organisations.c.short_name).where(_organisations.c.id == of["unit_id"])
    assert values(world, names) == ["梧桐街道"]
    holds(world)


def test_a_unit_that_moves_takes_all_below_it_along(world: World) -> None:
    start(world)
    moved(world, "town", "other", "operator")
    town_, organ = world.organisations["town"], world.organisations["town_discipline"]
    above = line(world, world.organisations["other"])
    assert line(world, town_) == f"{above}{town_}/"
    assert line(world, organ) == f"{above}{town_}/{organ}/"
    assert world.waiting() == [("draft", "clerk")]
    with world.env.engine.connect() as db:
        route = superiors(db, world.posts["clerk"], today(world))
    assert route[:2] == [world.posts["secretary"], world.posts["outsider"]]
    holds(world)


def test_what_the_old_line_led_and_served_ends_with_the_move(world: World) -> None:
    district = values(
        world, select(_organisations.c.id).where(_organisations.c.parent_id.is_(None))
    )
    county = {"code": "county", "name": "云山县委", "short_name": "云山县委", "level": "区"}
    row = {**county, "kind": "党委", "path": "/900/", "id": 900}
    world.do(lambda work: {"n": work.db.execute(insert(_organisations), row).rowcount})
    world.organisations["county"] = 900
    assert district
    moved(world, "town", "county")
    portfolios, relations = table(Portfolio), table(Relation)
    assert values(world, select(portfolios.c.ends_on)) == [today(world)]
    superior = relations.c.served_id == world.organisations["town_discipline"]
    assert values(world, select(relations.c.ends_on).where(superior)) == [today(world)]
    own = relations.c.served_id == world.organisations["town"]
    assert values(world, select(relations.c.ends_on).where(own)) == [None]


def test_no_unit_comes_to_stand_below_itself(world: World) -> None:
    for unit, to in (("town", "town_discipline"), ("town", "town"), ("town", "district")):
        with pytest.raises(Invalid):
            moved(world, unit, to)
    with pytest.raises(Invalid):
        merged(world, "town", "town_discipline", {})


def test_a_merger_needs_a_target_for_whatever_waits(world: World) -> None:
    start(world)
    with pytest.raises(TargetsNeeded) as refused:
        merged(world, "town", "other", {})
    assert refused.value.details["posts"] == [world.posts["clerk"]]
    with pytest.raises(Invalid):
        merged(world, "town", "other", {"clerk": "deputy"})
    assert world.waiting() == [("draft", "clerk")]
    assert merged(world, "town", "other", {"clerk": "outsider"}) == 1
    settle(world)
    assert world.waiting() == [("draft", "outsider")]
    holds(world)


def test_a_merged_unit_leaves_its_cases_and_units_to_the_other(world: World) -> None:
    case = start(world)
    merged(world, "town", "other", {"clerk": "outsider"})
    settle(world)
    other, town_ = world.organisations["other"], world.organisations["town"]
    assert values(world, select(_cases.c.organisation_id).where(_cases.c.id == case)) == [other]
    assert line(world, world.organisations["town_discipline"]).startswith(line(world, other))
    ended = select(_organisations.c.ends_on, _organisations.c.successor_id)
    with world.env.engine.connect() as db:
        gone_ = db.execute(ended.where(_organisations.c.id == town_)).one()
        with pytest.raises(NotFound):
            unit_of(db, None, town_)
    assert tuple(gone_) == (today(world), other)
    successors = select(_posts.c.successor_id).where(_posts.c.organisation_id == town_)
    assert set(values(world, successors)) == {world.posts["outsider"]}
    world.answer("draft")
    holds(world)


def test_a_merger_ends_the_vacancies_of_the_unit(world: World) -> None:
    start(world)
    gone(world, "clerk")
    settle(world)
    merged(world, "town", "other", {"clerk": "outsider", "secretary": "outsider"})
    settle(world)
    assert vacant(world) == []
    assert world.waiting() == [("draft", "outsider")]
    holds(world)


def test_what_changed_since_it_was_seen_is_not_carried_out(world: World) -> None:
    of: Any = {"unit_id": world.organisations["town"], "to": world.organisations["other"]}
    with world.env.engine.connect() as db:
        unit = unit_of(db, None, of["unit_id"])
        seen = moving(db, None, unit, of["to"], today(world)).fingerprint
    start(world)
    with pytest.raises(Changed):
        move_unit(world.env, SYSTEM, **of, seen=seen, key=world.key())
    assert values(world, select(_former.c.id)) == []


def test_posts_that_are_split_off_keep_their_holders_and_their_work(world: World) -> None:
    case = start(world)
    made = split(world, Parts([world.posts["clerk"]], cases=[case]))
    assert world.waiting() == [("draft", "clerk")]
    with world.env.engine.connect() as db:
        route = superiors(db, world.posts["clerk"], today(world))
    assert route[0] == world.posts["district_member"]
    assert values(world, select(_cases.c.organisation_id)) == [made]
    former = table(FormerPost)
    assert values(world, select(former.c.organisation_id)) == [world.organisations["town"]]
    holds(world)


def test_a_split_takes_only_what_is_the_units_own(world: World) -> None:
    own = [world.posts["clerk"]]
    for parts in (
        Parts([world.posts["outsider"]]),
        Parts(own, children=[world.organisations["other"]]),
        Parts(own, cases=[987]),
        Parts([]),
    ):
        with pytest.raises(Invalid):
            split(world, parts)
    with pytest.raises(CodeTaken):
        split(world, Parts(own), code="other")
    with pytest.raises(Invalid):
        split(world, Parts(own), name="")


@pytest.mark.parametrize("post", ["secretary", "personnel_head", "district_secretary"])
def test_units_are_the_operators_to_change(world: World, post: str) -> None:
    with pytest.raises(NotFound):
        moved(world, "town", "other", post)
