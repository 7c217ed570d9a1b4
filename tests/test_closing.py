"""撤销: a unit ends without a successor, and nothing that is open waits on nobody."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from models.audit import Audit
from models.base import table
from models.casework import Case
from models.organisation import (
    Appointment,
    FormerOrganisation,
    Organisation,
    Portfolio,
    Post,
    Relation,
)
from models.substitution import Substitution
from services.command import SYSTEM
from services.errors import Invalid, NotFound
from services.merging import TargetsNeeded, close_unit, closure
from services.organisers import Changed, unit_of
from services.scope import in_force, standing
from services.watch import sweep
from tests.parts_case import start, values
from tests.vacancy_scene import holds, settle, today, town
from tests.world import Clock, World

_cases, _organisations, _posts = table(Case), table(Organisation), table(Post)
_portfolios, _relations, _terms = table(Portfolio), table(Relation), table(Appointment)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    yield from town(engine, clock)


def look(world: World, unit: str, targets: dict[int, int]) -> Any:
    with world.env.engine.connect() as db:
        of = unit_of(db, None, world.organisations[unit])
        return closure(db, None, of, targets, today(world))


def closed(world: World, unit: str, targets: dict[str, str], actor: str = "") -> int:
    """The unit is closed as it was seen."""
    to = {world.posts[old]: world.posts[new] for old, new in targets.items()}
    of: Any = {"unit_id": world.organisations[unit], "targets": to}
    seen = look(world, unit, to).moves.fingerprint
    who = world.actor(actor) if actor else SYSTEM
    return close_unit(world.env, who, **of, seen=seen, key=world.key())


def test_it_is_refused_until_whatever_waits_has_a_target(world: World) -> None:
    start(world)
    with pytest.raises(TargetsNeeded) as refused:
        closed(world, "town", {})
    assert refused.value.details["posts"] == [world.posts["clerk"]]
    for target in ("deputy", "outsider"):  # of the unit itself; of a unit that is not near
        with pytest.raises(Invalid):
            closed(world, "town", {"clerk": target})
    assert world.waiting() == [("draft", "clerk")]
    assert closed(world, "town", {"clerk": "district_secretary"}, "operator") == 1
    settle(world)
    assert world.waiting() == [("draft", "district_secretary")]
    holds(world)


def test_cases_and_units_below_go_to_the_superior_and_the_name_stays(world: World) -> None:
    case = start(world)
    closed(world, "town", {"clerk": "district_secretary"})
    settle(world)
    district, gone = world.organisations["district"], world.organisations["town"]
    assert values(world, select(_cases.c.organisation_id).where(_cases.c.id == case)) == [district]
    below = _organisations.c.id == world.organisations["town_discipline"]
    assert values(world, select(_organisations.c.parent_id).where(below)) == [district]
    with world.env.engine.connect() as db:
        row = db.execute(select(_organisations).where(_organisations.c.id == gone)).one()
        with pytest.raises(NotFound):
            unit_of(db, None, gone)
    assert (row.ends_on, row.successor_id) == (today(world), None)
    former = table(FormerOrganisation)
    kept = select(former.c.name).where(former.c.organisation_id == gone)
    assert values(world, kept) == ["梧桐路街道党工委"]
    said = [json.loads(body) for body in values(world, select(table(Audit).c.body))]
    assert [one["left_to"] for one in said if one.get("act") == "unit_closed"] == [district]


def test_posts_terms_portfolios_and_relations_end_and_nobody_inherits_them(world: World) -> None:
    own = _posts.c.organisation_id == world.organisations["town"]
    mine = values(world, select(_posts.c.id).where(own))
    led: Any = {"post_id": world.posts["deputy"], "unit_id": world.organisations["town_discipline"]}
    led |= {"area": None, "starts_on": today(world) - timedelta(days=9)}
    world.do(lambda work: {"n": work.db.execute(insert(_portfolios).values(led)).rowcount})
    before = values(world, select(_portfolios.c.id))
    closed(world, "town", {})
    assert values(world, select(_posts.c.id).where(own, _posts.c.successor_id.is_(None))) == []
    held = select(_terms.c.id).where(_terms.c.post_id.in_(mine), in_force(_terms.c, today(world)))
    assert values(world, held) == []
    assert values(world, select(_portfolios.c.id)) == before
    over = _portfolios.c.post_id == world.posts["deputy"]
    assert values(world, select(_portfolios.c.ends_on).where(over)) == [today(world)]
    ties = _relations.c.organ_id.in_([world.organisations["town"]]) | (
        _relations.c.served_id == world.organisations["town"]
    )
    assert set(values(world, select(_relations.c.ends_on).where(ties))) == {today(world)}


def test_who_holds_no_other_post_may_nothing_any_more(world: World) -> None:
    closed(world, "town", {})
    with world.env.engine.connect() as db:
        assert standing(db, world.people["clerk"], today(world)).posts == ()
        assert standing(db, world.people["district_secretary"], today(world)).posts != ()


def test_substitutions_of_its_posts_end_with_the_next_look(world: World) -> None:
    rows, now = table(Substitution), world.env.clock()
    of: Any = {"post_id": world.posts["secretary"], "person_id": world.people["secretary"]}
    of |= {"substitute_post_id": world.posts["deputy"], "substitute_id": world.people["deputy"]}
    of |= {"every_mechanism": True, "reason": "出差", "made_by": world.people["secretary"]}
    of |= {"made_as": world.posts["secretary"], "made_at": now, "starts_on": today(world)}
    of |= {"ends_on": today(world) + timedelta(days=9)}
    world.do(lambda work: {"n": work.db.execute(insert(rows).values(of)).rowcount})
    closed(world, "town", {})
    sweep(world.env)
    assert values(world, select(rows.c.ended_how)) == ["left"]


def test_what_came_meanwhile_is_not_closed_over(world: World) -> None:
    seen = look(world, "town", {}).moves.fingerprint
    start(world)
    of: Any = {"unit_id": world.organisations["town"], "targets": {}, "seen": seen}
    with pytest.raises(Changed):
        close_unit(world.env, SYSTEM, **of, key=world.key())


@pytest.mark.parametrize("post", ["secretary", "personnel_head", "district_secretary"])
def test_it_is_for_the_operator_above(world: World, post: str) -> None:
    with pytest.raises(NotFound):
        closed(world, "town", {}, post)


def test_the_top_of_a_tree_is_not_closed(world: World) -> None:
    with pytest.raises(Invalid, match="没有上级"):
        closed(world, "district", {})
