"""组织导入 on the pages: uploaded, looked at, confirmed, and taken back, by the 系统运维员."""

import re
from dataclasses import replace

import pytest
from httpx import Response
from sqlalchemy import Engine, insert, update

from documents.organisation_file import SHEETS, TERMS, UNITS
from models.account import Account
from models.base import table
from models.organisation import Appointment, Organisation, Person
from policy.batch import BatchState
from services.batches.page import PAGE
from services.command import SYSTEM
from services.crowding import TooManyFiles, Turns
from tests.organisation_books import (
    BUREAU,
    DAY,
    LATER,
    book,
    bring_in,
    contents,
    with_rows,
)
from tests.rectification_cast import begin
from tests.sheets import workbook
from tests.web_house import Browser, House, failing_commits, open_house
from tests.world import Clock

HOME = "/organisation-imports"


@pytest.fixture
def house(engine: Engine) -> House:
    """The district's 系统运维员 is among the cast."""
    return open_house(begin(engine, Clock()))


def upload(who: Browser, data: bytes, key: str = "upload-key-1") -> Response:
    """Send the form."""
    return who.post(HOME, {"key": key}, files={"file": ("组织.xlsx", data)})


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def confirm(who: Browser, address: str, page: str, key: str = "") -> Response:
    """Press the button of a preview."""
    form = {"key": key or hidden(page, "key"), "fingerprint": hidden(page, "fingerprint")}
    return who.post(f"{address}/confirm", form)


def staged(who: Browser, data: bytes, key: str = "upload-key-1") -> tuple[str, str]:
    """The address of a staged file, and its preview."""
    answer = upload(who, data, key)
    assert answer.status_code == 303, answer.text
    address = answer.headers["Location"]
    return address, who.get(address).text


def test_a_workbook_is_looked_at_confirmed_and_taken_back(house: House) -> None:
    operator, engine = house.sign_in("operator"), house.case.env.engine
    before, data = contents(engine), book(BUREAU)
    address, page = staged(operator, data)
    for said in ("核对变动", "现在还没有保存", "滨河区城管局党组副书记　分管政治生态", "确认导入"):
        assert said in page, said
    assert f'action="{address}/confirm"' in page
    assert contents(engine) == before
    assert upload(operator, data).headers["Location"] == address
    for _ in range(2):
        assert confirm(operator, address, page).headers["Location"] == address
    receipt = operator.get(address).text
    for said in ("导入回执", "已导入，全部保存", "SHA-256", "撤销导入"):
        assert said in receipt, said
    assert "确认导入" not in receipt
    assert contents(engine) != before
    asked = operator.get(f"{address}/undo").text
    assert "删去这次新增的 15 行" in asked
    assert f'action="{address}/undo"' in asked
    undone = operator.post(f"{address}/undo", {"key": hidden(asked, "key")})
    assert undone.headers["Location"] == address
    assert "已撤销，全部恢复为导入之前的情况" in operator.get(address).text
    assert contents(engine) == before
    listed = operator.get(HOME).text
    assert "组织.xlsx" in listed
    assert "已撤销" in listed


def test_files_are_read_and_written_one_at_a_time(house: House) -> None:
    """The largest takes half of what a process may have."""
    operator, site, data = house.sign_in("operator"), house.app.state.site, book(BUREAU)
    address, page = staged(operator, data)
    before = contents(house.case.env.engine)
    alone = Turns(1, 0, 0, TooManyFiles)
    house.app.state.site = replace(site, reading=alone)
    with alone():
        for answer in (upload(operator, data, "upload-key-2"), confirm(operator, address, page)):
            assert answer.status_code == 503
            assert "没有保存" in answer.text
    assert contents(house.case.env.engine) == before
    assert confirm(operator, address, page).status_code == 303


def test_what_no_database_keeps_in_a_title_is_shown_and_confirmed(house: House) -> None:
    """NUL and its like above the header: PostgreSQL keeps no such text, and nobody meets a 500."""
    operator = house.sign_in("operator")
    header = [column.name for column in SHEETS[UNITS]]
    rows = [["组织\x00架\x1f构\x01"], header, BUREAU[UNITS][0]]
    address, page = staged(operator, workbook({UNITS: rows}))
    assert "组织�架�构�" in page
    assert confirm(operator, address, page).headers["Location"] == address
    receipt = operator.get(address)
    assert receipt.status_code == 200
    assert "已导入，全部保存" in receipt.text


@pytest.mark.parametrize("cell", [0, 1, 3])
def test_what_no_database_keeps_in_a_cell_is_a_fault_that_is_shown(house: House, cell: int) -> None:
    operator, engine = house.sign_in("operator"), house.case.env.engine
    before = contents(engine)
    row = list(BUREAU[UNITS][0])
    row[cell] = f"{row[cell]}\x00\x07"
    page = upload(operator, book({UNITS: [row]}))
    assert page.status_code == 422
    assert "什么也没有保存" in page.text
    assert "\x00" not in page.text
    assert "\x07" not in page.text
    assert contents(engine) == before


def test_every_fault_is_listed_where_it_stands_and_nothing_is_kept(house: House) -> None:
    operator, engine = house.sign_in("operator"), house.case.env.engine
    before = contents(engine)
    wrong = with_rows(TERMS, ["B1", "书记", "<b>戊</b>", "", LATER, ""])
    page = upload(operator, wrong)
    assert page.status_code == 422
    for said in ("1 处要改，什么也没有保存", "任职日期", "同一时间只能有一人任职"):
        assert said in page.text, said
    assert "<b>戊" not in page.text
    assert contents(engine) == before
    assert "请选择一个文件" in operator.post(HOME, {"key": "k" * 9}).text


def test_lines_are_filtered_by_sheet_and_act_and_come_in_pages(house: House) -> None:
    operator = house.sign_in("operator")
    bring_in(house.case.env, book(BUREAU), SYSTEM)
    many = [[f"C{n}", f"第{n}科", "", "区", "工作机关", "B1"] for n in range(PAGE + 20)]
    rows = [*BUREAU[UNITS], *many]
    address, page = staged(
        operator, book({UNITS: rows, TERMS: [["B1", "书记", "甲", "", DAY, LATER]]})
    )
    assert page.count("<tr>") == PAGE + 1
    assert "第99科" not in operator.get(f"{address}?sheet=任职").text
    rest = operator.get(f"{address}?after={3 + PAGE}&sheet={UNITS}&act=new").text
    assert "第119科" in rest
    assert "第98科" not in rest
    ended = operator.get(f"{address}?act=ended").text
    assert "<del>（空）</del> → <ins>2027-03-01</ins>" in ended
    assert "滨河区城管局党组（B1）" in operator.get(f"{address}?act=unchanged").text
    assert "没有这样的行" in operator.get(f"{address}?act=changed").text
    assert operator.get(f"{address}?act=nonsense").status_code == 200


def test_a_difference_that_has_changed_is_shown_anew(house: House) -> None:
    operator, engine = house.sign_in("operator"), house.case.env.engine
    address, page = staged(operator, book(BUREAU))
    organisations = table(Organisation)
    with engine.begin() as db:
        named = organisations.c.name == "滨河区委"
        db.execute(update(organisations).where(named).values(short_name="区委"))
    answer = confirm(operator, address, page)
    assert answer.status_code == 409
    assert "您查看之后，系统中的内容又有变动，没有导入" in answer.text
    assert confirm(operator, address, answer.text).status_code == 303
    late = confirm(operator, address, answer.text, "another-key-1")
    assert late.status_code == 409
    assert "这次导入已经办理过了" in late.text


def test_a_file_may_be_forgotten(house: House) -> None:
    operator = house.sign_in("operator")
    address, page = staged(operator, book(BUREAU))
    key = {"key": f"{hidden(page, 'key')}-drop"}
    assert operator.post(f"{address}/drop", key).headers["Location"] == HOME
    assert "已放弃" in operator.get(address).text
    assert confirm(operator, address, page).status_code == 409
    other = {"key": "another-key-1"}
    assert operator.post(f"{address}/drop", other).status_code == 409
    assert operator.post(f"{address}/undo", other).status_code == 409


def test_what_stands_in_the_way_of_an_undo_is_said_before_and_after(house: House) -> None:
    operator, engine = house.sign_in("operator"), house.case.env.engine
    address, page = staged(operator, book(BUREAU))
    confirm(operator, address, page)
    asked = operator.get(f"{address}/undo").text
    with engine.begin() as db:
        people = table(Person)
        person = db.execute(people.select().where(people.c.name == "丙")).one().id
        account = {"login": "c", "person_id": person, "disabled": False}
        db.execute(insert(table(Account)), account)
        held = table(Appointment)
        db.execute(update(held).where(held.c.person_id == person).values(ends_on=LATER))
    refused = operator.post(f"{address}/undo", {"key": hidden(asked, "key")})
    assert refused.status_code == 409
    for said in (refused.text, operator.get(f"{address}/undo").text):
        assert "1 个账号与导入的内容有关" in said
        assert "1 个任职在导入之后又有改动" in said


def test_whoever_is_no_operator_is_told_so_and_sees_no_import(house: House) -> None:
    operator = house.sign_in("operator")
    address, page = staged(operator, book(BUREAU))
    secretary = house.sign_in("secretary")
    assert "您现在的任职不能导入组织架构" in secretary.get(HOME).text
    refused = upload(secretary, book(BUREAU))
    assert refused.status_code == 403
    missing = f"{HOME}/987654"
    for path in ("", "/undo"):
        seen, absent = (secretary.get(f"{one}{path}") for one in (address, missing))
        assert seen.status_code == absent.status_code == 404
    form = {"key": "k" * 20, "fingerprint": hidden(page, "fingerprint")}
    for path in ("/confirm", "/drop", "/undo"):
        answers = [secretary.post(f"{one}{path}", form) for one in (address, missing)]
        assert [answer.status_code for answer in answers] == [404, 404]


def test_no_button_answers_well_when_the_commit_fails(house: House) -> None:
    operator, engine = house.sign_in("operator"), house.case.env.engine
    with failing_commits(engine):
        assert upload(operator, book(BUREAU)).status_code == 503
    address, page = staged(operator, book(BUREAU))
    before = contents(engine)
    with failing_commits(engine):
        assert confirm(operator, address, page).status_code == 503
        assert operator.post(f"{address}/drop", {"key": "drop-key-1"}).status_code == 503
    assert contents(engine) == before
    confirm(operator, address, page)
    after = contents(engine)
    with failing_commits(engine):
        assert operator.post(f"{address}/undo", {"key": "undo-key-1"}).status_code == 503
    assert contents(engine) == after


def test_the_empty_workbook_can_be_had(house: House) -> None:
    operator = house.sign_in("operator")
    answer = operator.get(f"{HOME}/template")
    assert answer.status_code == 200
    assert answer.content.startswith(b"PK")
    assert "没有数据行" in upload(operator, answer.content).text


def test_the_states_are_those_of_the_table() -> None:
    assert [state.value for state in BatchState] == ["staged", "applied", "undone", "dropped"]
