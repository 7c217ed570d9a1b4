"""Who may import for whom: what is offered on the page is what the command accepts."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import select

from deployments.demo import DISTRICT, TOWN, set_up_demo
from models.base import table
from models.organisation import Organisation
from services.batches.staging import stage
from services.command import SYSTEM, Actor, Work, execute
from services.database import reading
from services.env import Env
from services.faulty import Faulty
from services.importing import MayNotImport, importable, importing_for, may_import
from services.ledger import stage_ledger
from services.organisation import NotOperator
from services.problem_import import import_feedback
from services.scope import standing
from tests.founded import ON, person_of

_organisations = table(Organisation)


def accepted_from(env: Env, actor: Actor, organisation_ids: Iterable[int]) -> set[int]:
    """The organisations that the command lets somebody import for."""

    def act(work: Work) -> dict[str, Any]:
        found = []
        for organisation_id in organisation_ids:
            with suppress(MayNotImport):
                found.append(importing_for(work, organisation_id).id)
        return {"found": found}

    return set(execute(env, actor, "test", f"accepted-{actor.person_id}", {}, act)["found"])


@pytest.mark.parametrize(
    "login",
    [
        f"{DISTRICT}.inspection.clerk",
        f"{DISTRICT}.office.head",
        f"{TOWN}.party-building.head",
        f"{TOWN}.secretary",
    ],
)
def test_what_is_offered_is_what_is_accepted_of_the_whole_tree(env: Env, login: str) -> None:
    set_up_demo(env, SYSTEM, ON)
    actor = person_of(env.engine, login)
    assert actor.person_id is not None
    with reading(env.engine) as db:
        everywhere = list(db.execute(select(_organisations.c.id)).scalars())
        who = standing(db, actor.person_id, ON)
        offered = {unit.id for unit in importable(db, who)}
        assert may_import(db, who) is bool(offered)
    assert accepted_from(env, actor, everywhere) == offered


@pytest.mark.parametrize("send", [import_feedback, stage_ledger])
@pytest.mark.parametrize("unit", ["319900002", DISTRICT, "nowhere"])
def test_no_file_is_read_for_a_unit_that_somebody_elses_office_serves(
    env: Env, send: Callable[..., object], unit: str
) -> None:
    set_up_demo(env, SYSTEM, ON)
    office = person_of(env.engine, f"{TOWN}.party-building.head")
    given = {"data": b"PK\x03\x04no workbook", "filename": "a.xlsx", "key": "k"}
    with pytest.raises(Faulty):
        send(env, office, organisation=TOWN, **given)
    with pytest.raises(MayNotImport):
        send(env, office, organisation=unit, **given)


def test_no_file_of_an_organisation_is_read_for_who_operates_nothing(env: Env) -> None:
    set_up_demo(env, SYSTEM, ON)
    with pytest.raises(NotOperator):
        stage(
            env,
            person_of(env.engine, f"{TOWN}.party-building.head"),
            data=b"PK\x03\x04no workbook",
            filename="a.xlsx",
            key="k",
        )
