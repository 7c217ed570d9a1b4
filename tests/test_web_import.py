"""Uploading a feedback and a task sheet: all of it, or every fault where it stands and nothing."""

from dataclasses import replace
from datetime import date

import pytest
from httpx import Response
from sqlalchemy import Engine

from documents.feedback import PROBLEM_COLUMNS, PROBLEMS, TASK_COLUMNS, TASKS
from models.organisation import RelationKind
from models.problem import Problem, Task
from services.crowding import TooManyFiles, Turns
from services.faulty import Faulty
from services.importing import MayNotImport
from services.task_import import import_tasks
from tests.rectification_cast import begin
from tests.sheets import changed, workbook
from tests.web_house import Browser, House, failing_commits, open_house
from tests.world import Clock, serve


@pytest.fixture
def house(engine: Engine) -> House:
    """One case is open already; its plan is not drafted."""
    opened = open_house(begin(engine, Clock()))
    serve(opened.world, "inspection", RelationKind.INSPECTION_OFFICE)
    return opened


def problems() -> list[list[object]]:
    """One problem with two manifestations."""
    same = [1, "履行全面从严治党责任方面", "政治生态", "合同台账更新不及时"]
    return [
        list(PROBLEM_COLUMNS),
        [*same, 1, "有 7 项未在规定时限内完成", "党建办"],
        [*same, 2, "数据有 3 处不一致", "城市管理办"],
    ]


def tasks() -> list[list[object]]:
    """One task for each of the two problems of the cast."""
    day = date(2026, 6, 1)
    return [
        list(TASK_COLUMNS),
        [1, "1-1", "建立清单", "清单印发", "副书记", "党建办", "", day, "否"],
        [2, "2-1", "合并表格", "减少报表 2 张", "副书记", "城市管理办", "党建办", day, "是"],
    ]


def upload(who: Browser, house: House, data: bytes, **more: str) -> Response:
    """Send the form of the import page."""
    unit = str(house.world.organisations["town"])
    form = {"unit": unit, "key": "import-key-1", "batch": ""} | more
    return who.post("/import", form, files={"file": ("反馈.xlsx", data)})


def test_a_right_file_opens_the_case_and_leads_to_it(house: House) -> None:
    office = house.sign_in("inspection_head")
    data = workbook({PROBLEMS: problems()})
    first, second = (upload(office, house, data) for _ in range(2))
    assert first.status_code == second.status_code == 303
    address = first.headers["Location"]
    assert address == second.headers["Location"] == f"/cases/{house.case.case_id + 1}?imported=1"
    page = office.get(address).text
    assert "已导入 1 个问题，整改已启动" in page
    assert "合同台账更新不及时" in page
    assert upload(office, house, data, key="import-key-2").status_code == 409


def test_who_finds_too_many_files_being_read_keeps_nothing_and_is_told(house: House) -> None:
    office, site = house.sign_in("inspection_head"), house.app.state.site
    house.app.state.site = replace(site, reading=Turns(0, 0, 0, TooManyFiles))
    data = workbook({PROBLEMS: problems()})
    answer = upload(office, house, data)
    assert answer.status_code == 503
    assert "正在处理的文件较多，这一次没有处理，也没有保存" in answer.text
    house.app.state.site = site
    assert upload(office, house, data).headers["Location"].endswith("?imported=1")


def test_what_was_read_otherwise_is_shown_on_a_receipt_to_who_imported(house: House) -> None:
    office = house.sign_in("inspection_head")
    rows = [["滨河区委巡察反馈问题清单"], *changed(problems(), (3, "涉及单位", "城市 管理办"))]
    data = workbook({PROBLEMS: rows})
    first, second = (upload(office, house, data) for _ in range(2))
    address = first.headers["Location"]
    assert address == second.headers["Location"]
    assert address.startswith("/import/receipts/")
    page = office.get(address).text
    for said in ("问题 1 个", "具体表现 2 条", "2 处", "滨河区委巡察反馈问题清单", "城市 管理办"):
        assert said in page, said
    assert f"/cases/{house.case.case_id + 1}?imported=1" in page
    assert office.get("/import/template").content.startswith(b"PK")
    others = house.sign_in("clerk").get(address), office.get("/import/receipts/99999")
    assert [answer.status_code for answer in others] == [404, 404]


def test_every_fault_is_named_by_sheet_row_and_column_and_nothing_is_saved(house: House) -> None:
    office = house.sign_in("inspection_head")
    wrong = changed(problems(), (2, "所属领域", "其他领域"), (3, "表现序号", "二"))
    page = upload(office, house, workbook({PROBLEMS: wrong}), batch="第二轮")
    assert page.status_code == 422
    for said in (PROBLEMS, "所属领域", "表现序号", "处要改，什么也没有保存", 'value="第二轮"'):
        assert said in page.text, said
    assert len(house.case.rows(Problem, "id")) == 2


@pytest.mark.parametrize("data", [b"", b"not a workbook", b"PK\x03\x04broken"])
def test_what_is_no_workbook_is_refused_in_words(house: House, data: bytes) -> None:
    page = upload(house.sign_in("inspection_head"), house, data)
    assert page.status_code == 422
    assert 'role="alert"' in page.text


def test_a_form_without_unit_or_file_says_what_is_missing(house: House) -> None:
    office = house.sign_in("inspection_head")
    data = workbook({PROBLEMS: problems()})
    assert "请选择被巡察的单位" in upload(office, house, data, unit="").text
    assert "请选择一个文件" in office.post("/import", {"unit": "1", "key": "k" * 9}).text


def test_who_may_not_import_is_told_so(house: House) -> None:
    deputy = house.sign_in("deputy")
    assert "您现在的任职不能导入反馈意见" in deputy.get("/import").text
    assert upload(deputy, house, workbook({PROBLEMS: problems()})).status_code == 403
    assert len(house.case.rows(Problem, "id")) == 2


def test_no_file_is_read_for_a_unit_that_the_office_does_not_serve(house: House) -> None:
    office, other = house.sign_in("inspection_head"), str(house.world.organisations["district"])
    assert upload(office, house, b"no workbook").status_code == 422
    assert upload(office, house, b"no workbook", unit=other).status_code == 403
    sheet = {"file": ("台账.xlsx", b"no workbook")}
    form = {"key": "ledger-key-1", "batch": "", "unit": other}
    assert office.post("/ledgers", form, files=sheet).status_code == 403


def test_no_task_sheet_is_read_of_who_drafts_no_plan(house: House) -> None:
    house.case.answer("assign-roles")
    for who, refused in (("clerk", Faulty), ("secretary", MayNotImport)):
        with pytest.raises(refused):
            import_tasks(
                house.case.env,
                house.world.actor(who),
                case_id=house.case.case_id,
                data=b"no workbook",
                filename="任务.xlsx",
                key=who,
            )


def test_the_task_sheet_is_read_at_the_step_that_drafts_the_plan(house: House) -> None:
    house.case.answer("assign-roles")
    clerk, slot = house.sign_in("clerk"), house.slot("draft-plan")
    assert "读入任务清单" in clerk.get(f"/steps/{slot}").text
    path, form = f"/steps/{slot}/tasks", {"key": "tasks-key-1"}
    wrong = workbook({TASKS: changed(tasks(), (2, "责任领导", "没有的职务"))})
    refused = clerk.post(path, form, files={"file": ("任务.xlsx", wrong)})
    assert refused.status_code == 422
    assert "没有的职务" in refused.text
    assert len(house.case.rows(Task, "id")) == 4
    done = clerk.post(path, form, files={"file": ("任务.xlsx", workbook({TASKS: tasks()}))})
    assert done.headers["Location"] == f"/steps/{slot}#act"
    assert house.case.rows(Task, "number") == [("1-1",), ("2-1",)]
    assert "方案现有 2 项整改任务" in clerk.get(f"/steps/{slot}").text
    late = {"file": ("任务.xlsx", workbook({TASKS: changed(tasks(), (2, "完成时限", "2026.6.1"))}))}
    told = clerk.post(path, {"key": "tasks-key-2"}, files=late)
    page = clerk.get(told.headers["Location"]).text
    assert "2026.6.1" in page
    assert f"/steps/{slot}#act" in page


def test_an_upload_whose_commit_fails_is_not_answered_well(house: House) -> None:
    house.case.answer("assign-roles")
    office, clerk = house.sign_in("inspection_head"), house.sign_in("clerk")
    path = f"/steps/{house.slot('draft-plan')}/tasks"
    sheet = {"file": ("任务.xlsx", workbook({TASKS: tasks()}))}
    with failing_commits(house.case.env.engine):
        assert upload(office, house, workbook({PROBLEMS: problems()})).status_code == 503
        assert clerk.post(path, {"key": "tasks-key-1"}, files=sheet).status_code == 503
    assert len(house.case.rows(Problem, "id")) == 2
    assert len(house.case.rows(Task, "id")) == 4
