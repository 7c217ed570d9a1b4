"""What a launch would come to, and how its organisations are named."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Row, select

from models.base import table
from models.casework import Case, Step
from models.message import Message
from models.operating import LaunchTarget
from models.organisation import Level
from services.casework import mechanisms
from services.casework.launching import open_due
from services.command import SYSTEM, Actor
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.launch import coded, committees, launch
from services.launch_preview import preview
from tests import two_step
from tests.many_towns import many_towns
from tests.world import World, build

TOWNS = 7
_cases, _messages, _steps = table(Case), table(Message), table(Step)
_targets = table(LaunchTarget)


@pytest.fixture(name="cast")
def _cast(env: Env) -> World:
    return build(replace(env, mechanisms=mechanisms()))


@pytest.fixture(name="towns")
def _towns(cast: World) -> list[int]:
    return many_towns(cast, TOWNS)


def rows(cast: World, query: Any) -> list[Row[Any]]:
    with cast.env.engine.connect() as db:
        return list(db.execute(query))


def test_nobodys_post_is_enough_for_a_preview(cast: World, towns: list[int]) -> None:
    with pytest.raises(NotAuthorised):
        preview(cast.env, Actor(cast.people["district_secretary"]), two_step.NAME, towns)


def test_a_preview_says_what_would_wait_on_whom_and_leaves_nothing(
    cast: World, towns: list[int]
) -> None:
    without_posts = cast.organisations["district"]
    found = preview(cast.env, SYSTEM, two_step.NAME, [*towns, without_posts])
    assert (found.cases, found.steps, found.people, found.vacant) == (TOWNS, TOWNS, TOWNS, 0)
    assert found.failing == (without_posts,)
    for kept in (_cases, _steps, _messages, _targets):
        assert rows(cast, select(kept.c.id)) == []
    given = {"mechanism": two_step.NAME, "organisations": towns}
    launch(cast.env, SYSTEM, key="launch", **given)  # type: ignore[arg-type]
    open_due(cast.env, TOWNS)
    numbers = rows(cast, select(_cases.c.number).order_by(_cases.c.id))
    assert [row.number for row in numbers] == [f"测〔2026〕{n}号" for n in range(1, TOWNS + 1)]


def test_organisations_are_named_by_code_or_by_where_they_stand(
    cast: World, towns: list[int]
) -> None:
    assert coded(cast.env, ["many-3", "town"]) == [towns[3], cast.organisations["town"]]
    with pytest.raises(Invalid, match="nonsense"):
        coded(cast.env, ["town", "nonsense"])
    assert committees(cast.env, under="many-3") == [towns[3]]
    assert set(towns) < set(committees(cast.env, level=Level.TOWN))
    assert cast.organisations["town_discipline"] not in committees(cast.env)
    with pytest.raises(Invalid):
        committees(cast.env, under="nonsense")
