"""What a ledger names is there and may do it; of two who confirm at once one does."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from models.ledger import Ledger
from models.organisation import RelationKind
from models.problem import Problem
from services.errors import DutiesError
from services.faulty import Faulty
from services.ledger import LedgerSettled
from services.problem_import import AlreadyImported
from tests.ledger_book import ledger, problem_rows
from tests.sheets import changed
from tests.test_ledger import Office, office, unsound
from tests.test_reorganising import merged
from tests.world import serve

__all__ = ["office"]


def refused(office: Office, data: bytes) -> list[str]:
    with pytest.raises(Faulty) as found:
        office.stage(data)
    return [str(fault) for fault in found.value.faults]


def test_who_supervises_is_told_by_a_name_that_is_understood(office: Office) -> None:
    said = refused(office, ledger(changed(problem_rows(), (3, "监督", "区委巡视办主任"))))
    assert said == [
        "“问题清单”第 3 行“监督”：纪检或巡察机构没有名为“区委巡视办主任”的职务，"
        "可以写：“滨河区委巡察办主任”、“滨河区纪委书记”、“梧桐路街道纪工委书记”"
    ]
    right = changed(problem_rows(), (3, "监督", "滨河区委巡察办主任"))
    assert office.stage(ledger(right))


def test_a_unit_that_is_there_no_more_is_refused_with_what_became_of_it(office: Office) -> None:
    merged(office.house.world, "office", "city", {})
    said = refused(office, ledger())
    where = ("“问题清单”第 3 行“责任部门”", "“任务清单”第 2 行“牵头部门”")
    for place in where:
        (fault,) = [one for one in said if one.startswith(place)]
        assert "已于 2026-03-02 撤销，其工作由" in fault
        assert "请写现在负责的单位或部门" in fault


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    line = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        line.wait(60)
        try:
            return act()
        except DutiesError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_of_two_confirmations_at_once_one_is_carried_out(office: Office) -> None:
    before = len(office.rows(Problem, "id"))
    staged = office.stage()
    found = at_once(*[lambda: office.confirm(staged)] * 2)
    assert sorted(isinstance(one, LedgerSettled) for one in found) == [False, True]
    assert len(office.rows(Problem, "id")) == before + 4
    assert unsound(office) == []


def test_of_two_offices_with_one_ledger_one_takes_it_over(office: Office) -> None:
    before = len(office.rows(Problem, "id"))
    world = office.house.world
    serve(world, "inspection", RelationKind.INSPECTION_OFFICE)
    other = Office(office.house, office.clock, world.actor("inspection_head"))
    mine, theirs = office.stage(), other.stage()
    found = at_once(lambda: office.confirm(mine), lambda: other.confirm(theirs))
    assert sorted(isinstance(one, AlreadyImported) for one in found) == [False, True]
    assert len(office.rows(Problem, "id")) == before + 4
    assert sorted(office.rows(Ledger, "state")) == [("applied",), ("staged",)]
    assert unsound(office) == []
