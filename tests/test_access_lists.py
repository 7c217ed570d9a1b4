"""Lists, counts, options and filters hold what the table of ``policy.access`` allows, no more.

And what somebody fills in, or asks for in a query: the number of a unit or post of another district
is answered like one that is not there.
"""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from models.base import table
from models.casework import Case
from models.organisation import Organisation
from policy.access import Action, Reach, reaches
from policy.calendar import local_day
from services.batches.page import recent
from services.case_list import Cases
from services.changes.page import Units
from services.database import reading
from services.errors import NotFound
from services.importing import importable
from services.organisation_page import named
from services.restricted import RESTRICTED
from services.scope import Standing, standing, visible_case
from services.substitution_page import Substitutions
from tests.access_asking import Address, Asking, addresses, everybody, said, wrong_words
from tests.access_scene import FAR, MISSING, NAMES, Scene, Thing
from tests.access_things import LISTS
from tests.house import ROOT
from web.access import SAFE

ENDS = {"/logout", "/account/sessions/end"}
"""What ends sessions, and says nothing else."""
PERSONNEL = ("personnel_head", "committee_head")
NOT_IDS = {"key", "csrf", "seen", "confirmed", "password", "again", "old", "next", "file", "files"}
DAYS = {"on", "starts", "until", "starts_on", "ends_on"}
TEXTS = {"reason", "text", "note", "name", "short_name", "title"}


@pytest.fixture(scope="module")
def asking(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    with everybody(sqlite_template, tmp_path_factory.mktemp("access")) as made:
        yield made


def fields() -> set[str]:
    """What any form of the pages has a field for."""
    found: set[str] = set()
    for path in (ROOT / "web" / "templates").glob("*.html"):
        found |= set(re.findall(r'name="(\w+)"', path.read_text(encoding="utf-8")))
    for path in (ROOT / "services").rglob("*.py"):
        found |= set(re.findall(r'Field\(\s*"(\w+)"', path.read_text(encoding="utf-8")))
    assert {"post", "unit", "to", "into", "successor", "evidence"} <= found
    return found - NOT_IDS


def filled(scene: Scene, id_: int) -> dict[str, str]:
    """Every form at once, with this number wherever one is chosen from."""
    today = local_day(scene.house.case.env.clock()).isoformat()
    form = dict.fromkeys(sorted(fields()), str(id_))
    form |= dict.fromkeys(DAYS, today) | dict.fromkeys(TEXTS, "工作安排")
    return form | {"answer": "done", "kind": "member", "rank": "7"}


CHOOSERS = (
    *("district_secretary", "operator", "personnel_head", "inspection_head", "secretary"),
    *("office_clerk", "system", "security"),
)
"""Who fills in forms: somebody for each of them."""
PASSWORDS = "/accounts/{account_id}/reset"
"""It answers with a password that was made just now."""


def near(scene: Scene) -> list[str]:
    """Everybody of the district that has no part in the other one."""
    return [login for login in scene.roles if scene.at[login] < FAR]


def test_a_list_is_there_for_whom_it_is_and_holds_nothing_of_others(asking: Asking) -> None:
    found = asyncio.run(strange_lists(asking))
    assert not found, "\n".join(found)


async def strange_lists(asking: Asking) -> list[str]:
    """What is wrong with the addresses that are about no single thing."""
    scene, found = asking.scene, []
    for address in addresses():
        if address.stem or address.path in ENDS:
            continue
        action = LISTS[address.path.removeprefix("/api")]
        for login, role in scene.roles.items():
            where = f"{login} {address.method} {address.path}"
            answer = await asking.do(login, address.method, address.path)
            found += wrong_words(scene, login, answer, where)
            if action is not None and address.method in SAFE:
                some = reaches(role, action) - {Reach.ORGANISATION_DEPT}
                keeps = action is Action.CHANGE_POSTS and login in (
                    "personnel_head",
                    "committee_head",
                )
                if (answer.status_code == 404) == bool(some or keeps):
                    found.append(f"{where}: {answer.status_code}")
            elif action is None and address.method in SAFE and answer.status_code == 404:
                found.append(f"{where}: 404")
    return found


def test_lists_and_their_counts_are_the_allowed_things(asking: Asking) -> None:
    scene, env = asking.scene, asking.scene.house.case.env
    with reading(env.engine) as db:
        for login in scene.roles:
            who = standing(db, scene.world.people[login], local_day(env.clock()))
            if who.posts:
                _compare(scene, db, login, who)


def _compare(scene: Scene, db: Connection, login: str, who: Standing) -> None:
    now = scene.house.case.env.clock()
    cases = {line.id for line in Cases(who).lines(db, now)}
    assert cases == _ids(scene, login, "/cases/{case_id}"), login
    assert Cases(who).count(db) == len(cases)
    units = _units(scene, login, Action.READ_UNIT)
    assert {node.id for node in named(db, who, "").shown} == units, login
    changed = {line.id for line in Units(who).lines(db, None)}
    assert changed == _units(scene, login, Action.CHANGE_POSTS), login
    assert Units(who).count(db) == len(changed)
    tops = {row.id for row in scene.rows(Organisation, "id", parent_id=None)}
    served = _units(scene, login, Action.IMPORT_WORK) - tops
    assert {unit.id for unit in importable(db, who)} == served, login
    sent = {line.id for line in recent(db, who)}
    assert sent == _ids(scene, login, "/organisation-imports/{batch_id}"), login
    stands = {line.id for way in (False, True) for line in Substitutions(who, way).lines(db)}
    assert stands == _ids(scene, login, "/substitutions/{substitution_id}"), login


def _ids(scene: Scene, login: str, stem: str) -> set[int]:
    return {thing.id for thing in scene.things[stem] if scene.allowed(login, thing)}


def _units(scene: Scene, login: str, action: Action) -> set[int]:
    units = (row.id for row in scene.rows(Organisation, "id"))
    return {unit for unit in units if scene.allowed(login, Thing(unit, unit, action))}


def test_what_is_chosen_elsewhere_is_answered_like_what_is_not_there(asking: Asking) -> None:
    tested, found = asyncio.run(chosen_elsewhere(asking))
    assert tested > 150
    assert not found, "\n".join(found)


async def chosen_elsewhere(asking: Asking) -> tuple[int, list[str]]:
    """Every form, and every query, of what somebody may see, filled in with numbers of others."""
    scene, found, tested = asking.scene, [], 0
    forms = {id_: filled(scene, id_) for id_ in (FAR + 2, MISSING)}
    for address in addresses():
        if address.path in {*ENDS, PASSWORDS}:
            continue
        for login in CHOOSERS:
            where = at_home(scene, address, login)
            if where is None:
                continue
            answers = []
            for id_, form in forms.items():
                path = where + (query_of(address, form) if address.method in SAFE else "")
                answer = await asking.do(login, address.method, path, form, id_)
                found += wrong_words(scene, login, answer, f"{login} {path}")
                answers.append(said(answer, path, id_))
            tested += 1
            if answers[0] != answers[1]:
                found.append(f"{login} {address.method} {where}: {answers[0][0]} {answers[1][0]}")
    return tested, found


def at_home(scene: Scene, address: Address, login: str) -> str | None:
    """The address of something that they may see, to be chosen at; None where there is none."""
    asks = address.method not in SAFE or address.query or address.path.startswith("/changes/")
    if not asks:
        return None
    things = scene.things[address.stem] if address.stem else [Thing(0, holders=frozenset({login}))]
    mine = (thing.id for thing in things if scene.allowed(login, thing))
    return next((address.at(id_) for id_ in mine), None)


def query_of(address: Address, form: dict[str, str]) -> str:
    """Its own parameters; of a change every field."""
    names = sorted(form) if address.path.startswith("/changes/") else address.query
    return "?" + "&".join(f"{name}={form.get(name, form['post'])}" for name in names)


def test_a_search_finds_nothing_of_others(asking: Asking) -> None:
    found = asyncio.run(searched(asking))
    assert not found, "\n".join(found)


async def searched(asking: Asking) -> list[str]:
    """The searches in which the name of a unit of the other district is unlike no name."""
    found, none = [], "无此名称"
    for address in addresses():
        if "q" not in address.query:
            continue
        for login in near(asking.scene):
            for name in (NAMES["far"], NAMES["far_town"], "far_town_clerk"):
                one, other = [
                    said(await asking.get(login, f"{address.path}?q={text}"), text)
                    for text in (name, none)
                ]
                if one != other:
                    found.append(f"{login} {address.path} {name}")
    return found


def test_a_restricted_mechanism_reaches_less(asking: Asking) -> None:
    scene, env = asking.scene, asking.scene.house.case.env
    case, unit = scene.cases["town"], scene.world.organisations["town"]
    cases, seen = table(Case), {}
    with env.engine.connect() as db:
        of_case = update(cases).where(cases.c.id == case)
        db.execute(of_case.values(mechanism=min(RESTRICTED)))
        for login in scene.roles:
            who = standing(db, scene.world.people[login], local_day(env.clock()))
            try:
                visible_case(db, who, case)
                seen[login] = True
            except NotFound:
                seen[login] = False
        db.rollback()
    thing = Thing(case, unit, Action.READ_RESTRICTED, case)
    assert seen == {login: scene.allowed(login, thing) for login in seen}
    assert {"secretary", "town_discipline_secretary", "inspection_head"} <= _true(seen)
    work = Thing(case, unit, Action.READ_WORK, case)
    less = {login for login in seen if scene.allowed(login, work)} - _true(seen)
    assert less >= {"deputy", "office_head"}


def _true(seen: dict[str, bool]) -> set[str]:
    return {login for login, sees in seen.items() if sees}
