"""Every address × everybody × own, line, oversight and outside × there or not: as the table says.

The addresses come from the application's route table, the people from a scene with every role, what
is expected from ``policy.access`` over the scene's rows. An address about something that no row of
``tests.access_things`` makes, a list without a rule here and a role without a row fail.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from html import unescape
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import Engine

from models.organisation import PostKind
from policy.access import RULES, Action, Role
from policy.administration import AdministratorRole, Permission, holds
from tests.access_asking import (
    Address,
    Asking,
    addresses,
    at_the_doors,
    everybody,
    said,
    wrong_words,
)
from tests.access_scene import Scene, Thing
from tests.access_things import LISTS
from web.access import SAFE

PERMISSIONS = {
    "reset": Permission.RESET_PASSWORDS,
    "close": Permission.CLOSE_ACCOUNTS,
    "reopen": Permission.CLOSE_ACCOUNTS,
    "recover": Permission.RECOVER_FACTORS,
    "end": Permission.END_SESSIONS,
}
LINK = re.compile(r'href="(/[^"#]*)[#"]')
SAMPLE = 23
"""On PostgreSQL, one of so many cells is asked again."""


@pytest.fixture(scope="module")
def asking(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    with everybody(sqlite_template, tmp_path_factory.mktemp("access")) as made:
        yield made


def cells(scene: Scene) -> Iterator[tuple[Address, str, Thing]]:
    """Every address about a thing, by everybody, with each such thing of the scene; where only a
    word differs (an act, a kind of change), the words take turns with the units."""
    turns: dict[tuple[str, str], int] = defaultdict(int)
    for address in addresses():
        if not address.stem:
            continue
        things = scene.things[address.stem]
        if address.words:
            turn = turns[address.method, address.words]
            turns[address.method, address.words] += 1
            things = [things[turn % len(things)]]
        for login in scene.roles:
            for thing in things:
                yield address, login, thing


def expected(scene: Scene, address: Address, login: str, thing: Thing) -> bool:
    """Whether the table says that it is there."""
    found = scene.allowed(login, thing)
    permission = PERMISSIONS.get(address.rest) if "account_id" in address.path else None
    if permission is None or not found:
        return found
    role = scene.roles[login].value
    return role in [*AdministratorRole] and holds(AdministratorRole(role), permission)


async def leaks_of(asking: Asking, address: Address, login: str, thing: Thing) -> list[str]:
    """What is wrong with a cell."""
    scene, where = asking.scene, f"{login} {address.method} {address.at(thing.id)}"
    answer = await asking.do(login, address.method, address.at(thing.id))
    found = wrong_words(scene, login, answer, where)
    if address.method in SAFE:
        asking.links[login] |= set(LINK.findall(answer.text))
    if expected(scene, address, login, thing):
        return [*found, f"{where}: not there"] if answer.status_code == 404 else found
    if said(answer, *address.told(thing.id)) != await asking.absent(login, address):
        found.append(f"{where}: {answer.status_code}, unlike what is not there")
    if answer.status_code not in (303, 403, 404, 422):
        found.append(f"{where}: {answer.status_code}")
    return found


def test_every_route_has_a_rule_and_every_role_a_row(asking: Asking) -> None:
    stems = {address.stem for address in addresses()} - {""}
    assert stems <= asking.scene.things.keys(), "add what it is about to tests/access_things.py"
    lists = {one.path.removeprefix("/api") for one in addresses() if not one.stem}
    assert lists == LISTS.keys()
    assert {kind.value for kind in PostKind} <= {role.value for role in Role}
    assert {role.value for role in AdministratorRole} <= {role.value for role in Role}
    assert set(RULES) == set(Role)
    assert {*asking.scene.roles.values(), Role.CONCERNED} == set(Role)
    used = {thing.action for things in asking.scene.things.values() for thing in things}
    other = {Action.READ_RESTRICTED, Action.IMPORT_WORK, Action.IMPORT_TASKS, Action.READ_RECORD}
    assert used - {None} == set(Action) - other
    for cells_of in RULES.values():
        narrow = cells_of.get(Action.READ_RESTRICTED, frozenset())
        assert narrow <= cells_of.get(Action.READ_WORK, frozenset())


def test_what_is_not_theirs_is_not_there_by_any_address(
    asking: Asking, record_property: Callable[[str, object], None]
) -> None:
    tested, leaks = asyncio.run(every_cell(asking))
    leaks += asyncio.run(astray(asking))
    record_property("summary", f"cells tested {tested}, leaks {len(leaks)}")
    assert not leaks, "\n".join(leaks)


async def every_cell(asking: Asking, sample: int = 1) -> tuple[int, list[str]]:
    """How many were tested, and what is wrong; with ``sample``, one of so many."""
    tested, leaks = 0, []
    for address, login, thing in islice(cells(asking.scene), None, None, sample):
        seen = expected(asking.scene, address, login, thing)
        if seen and sample > 1 and address.method not in SAFE:
            continue  # what it changed could not be undone
        leaks += await leaks_of(asking, address, login, thing)
        tested += 1
    return tested, leaks


async def astray(asking: Asking) -> list[str]:
    """The links of lists and messages, and of what was asked before, that lead to nothing."""
    found: list[str] = []
    for login, links in asking.links.items():
        for page in ("/", "/done", "/messages", "/cases", "/organisations", "/changes"):
            links |= set(LINK.findall((await asking.get(login, page)).text))
        for link in sorted(links):
            if link.startswith(("/static/", "/login")):
                continue
            answer = await asking.get(login, unescape(link))
            found += wrong_words(asking.scene, login, answer, f"{login} {link}")
            if answer.status_code not in (200, 303):
                found.append(f"{login} {link}: {answer.status_code}")
    return found


def test_the_same_holds_on_postgresql(postgresql_engine: Engine, tmp_path: Path) -> None:
    asking = at_the_doors(postgresql_engine, tmp_path)
    tested, leaks = asyncio.run(every_cell(asking, SAMPLE))
    asyncio.run(asking.close())
    assert tested > 100
    assert not leaks, "\n".join(leaks)
