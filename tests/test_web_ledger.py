"""The pages of running work that is taken over: seen before it is saved, and marked 导入 after."""

import re
from datetime import date

import pytest
from httpx import Response
from sqlalchemy import Engine, func, select

from models.base import table
from models.casework import Case
from models.organisation import RelationKind
from models.problem import Problem
from policy.on_time import Dated, on_time
from tests.ledger_book import ledger, problem_rows
from tests.rectification_cast import begin
from tests.sheets import changed
from tests.web_house import Browser, House, failing_commits, open_house
from tests.world import Clock, serve


@pytest.fixture
def house(engine: Engine) -> House:
    """The inspection office serves the town."""
    opened = open_house(begin(engine, Clock()))
    serve(opened.world, "inspection", RelationKind.INSPECTION_OFFICE)
    return opened


def upload(who: Browser, house: House, data: bytes) -> Response:
    form = {"unit": str(house.world.organisations["town"]), "key": "ledger-key-1", "batch": ""}
    return who.post("/ledgers", form, files={"file": ("台账.xlsx", data)})


def count(house: House, model: type) -> int:
    with house.world.env.engine.connect() as db:
        return int(db.execute(select(func.count()).select_from(table(model))).scalar_one())


def fingerprint_on(page: str) -> str:
    return page.split('name="fingerprint" value="')[1].split('"')[0]


def test_a_ledger_is_seen_then_taken_over_and_marked_everywhere(house: House) -> None:
    office = house.sign_in("inspection_head")
    before = count(house, Problem), count(house, Case)
    address = upload(office, house, ledger()).headers["Location"]
    page = office.get(address).text
    for said in ("待确认的存量台账", "报表重复", "延期 2 次，原定 2025-12-01", "逾期 1 项"):
        assert said in page, said
    assert (count(house, Problem), count(house, Case)) == before
    form = {"key": "confirm-key-1", "fingerprint": fingerprint_on(page)}
    with failing_commits(house.world.env.engine):
        assert office.post(f"{address}/confirm", form).status_code == 503
    first, again = (office.post(f"{address}/confirm", form) for _ in range(2))
    assert (first.status_code, again.status_code) == (303, 303)
    assert (count(house, Problem), count(house, Case)) == (before[0] + 4, before[1] + 1)
    receipt = office.get(address).text
    assert "存量台账导入回执" in receipt
    (case,) = set(re.findall(r"/cases/\d+", receipt))
    shown = office.get(case).text
    for said in ("导入", "由存量台账“台账.xlsx”导入", "导入前", "按原定期限按时", "按现行期限按时"):
        assert said in shown, said
    assert '<span class="chip">导入</span>' in office.get("/cases").text
    with house.world.env.engine.connect() as db:
        of = table(Problem)
        problem = db.execute(select(of.c.id).where(of.c.text == "报表重复")).scalar_one()
    told = office.get(f"/problems/{problem}").text
    for said in ("导入时的情况", "第 4 行", "区委分管副书记", "完成（导入前）", "原定"):
        assert said in told, said


def test_a_faulty_ledger_is_refused_where_it_is_wrong(house: House) -> None:
    office = house.sign_in("inspection_head")
    answer = upload(office, house, ledger(changed(problem_rows(), (4, "责任部门", "水利科"))))
    assert answer.status_code == 422
    assert "水利科" in answer.text
    assert "责任部门" in answer.text
    assert office.get("/ledgers/template").content.startswith(b"PK")


def test_a_dropped_ledger_is_gone_and_another_office_sees_none(house: House) -> None:
    office = house.sign_in("inspection_head")
    address = upload(office, house, ledger()).headers["Location"]
    other = house.sign_in("clerk")
    assert other.get(address).status_code == 404
    assert other.post(f"{address}/confirm", {"key": "x", "fingerprint": ""}).status_code == 404
    assert upload(other, house, ledger()).status_code == 403
    assert office.post(f"{address}/drop", {"key": "drop-1"}).headers["Location"] == "/ledgers"
    form = {"key": "late-1", "fingerprint": ""}
    assert office.post(f"{address}/confirm", form).status_code == 409


def test_an_extension_mends_the_second_rate_only() -> None:
    first, later, today = date(2025, 12, 1), date(2026, 1, 10), date(2026, 3, 2)
    in_time = Dated(first, first, first)
    extended = Dated(first, later, date(2026, 1, 8))
    late = Dated(first, date(2026, 1, 31), None)
    coming = Dated(date(2026, 6, 1), date(2026, 6, 1), None)
    found = on_time([in_time, extended, late, coming], today)
    assert (found.by_original, found.of_original) == (1, 3)
    assert (found.by_current, found.of_current) == (2, 3)
    assert on_time([coming], today).of_original == 0
    assert on_time([coming], date(2026, 6, 1)).of_original == 0
    assert on_time([coming], date(2026, 6, 2)).of_original == 1
