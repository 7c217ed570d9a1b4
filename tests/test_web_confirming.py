"""What may be harmless is shown on the form with its place, and kept once somebody confirms it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Engine

from bench.sanitise import written
from documents.feedback import PROBLEMS, TASKS
from models.audit import Audit
from models.casework import Decision
from models.evidence import EvidenceVersion, EvidenceWithdrawal
from models.organisation import RelationKind
from services.sanitising import CONFIRM
from tests.evidence_scene import keeping
from tests.ledger_book import ledger
from tests.ledger_book import problem_rows as ledger_rows
from tests.rectification_cast import begin
from tests.sheets import changed, workbook
from tests.test_web_evidence import FILES, REPORT, upload
from tests.test_web_import import problems, tasks
from tests.test_web_steps import filled
from tests.test_web_substitution import NEW, given
from tests.web_house import Browser, House, open_house
from tests.world import Clock, serve

DOUBTFUL = written("公开的服务电话{landline}无人接听")
SURE = written("负责人手机{mobile}")
BOX, SAYS = 'name="confirmed"', "我已核对，不含上述内容</span>"
PLACE = "第 8 至 19 个字像是含有电话号码"


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary; the inspection office serves the town."""
    opened = open_house(begin(engine, Clock()))
    serve(opened.world, "inspection", RelationKind.INSPECTION_OFFICE)
    return opened


@pytest.fixture
def doing(engine: Engine, tmp_path: Path) -> House:
    """The tasks of the plan are being done, and files are kept."""
    case = begin(engine, Clock())
    keeping(case, tmp_path / "files")
    case.plan()
    return open_house(case)


def form(text: str, confirmed: str, **more: str) -> dict[str, str]:
    """A form with a reason; a box that is not ticked is not sent."""
    said = {"reason": text, "key": f"key-{len(text)}-{confirmed}" + "k" * 12, **more}
    return said | ({"confirmed": confirmed} if confirmed else {})


def held(browser: Browser, send: Callable[[str, str], Response], ends: str, kept: str) -> None:
    """Asked once, kept when confirmed; what is beyond doubt is refused, confirmed or not.

    ``send`` takes a text and the box, '' when it is not ticked.
    """
    asked = send(DOUBTFUL, "")
    assert asked.status_code == 422
    for said in (PLACE, CONFIRM, BOX, SAYS, kept.format(DOUBTFUL)):
        assert said in asked.text, said
    refused = send(SURE, "yes")
    assert (refused.status_code, BOX in refused.text) == (422, False)
    assert "请删去" in refused.text
    done = send(DOUBTFUL, "yes")
    assert (done.status_code, done.headers["Location"]) == (303, ends)
    assert browser.get(ends).status_code == 200


def confirmed(house: House) -> list[list[str]]:
    """What the audit entries say was confirmed; none of them holds the text."""
    bodies = [str(row[0]) for row in house.case.rows(Audit, "body")]
    assert not [body for body in bodies if "服务电话" in body]
    return [
        body.split('"confirmed":[')[1].split("]")[0].split(",")
        for body in bodies
        if '"confirmed":[' in body
    ]


def test_an_opinion_is_asked_about_once(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    path = f"/steps/{slot}"

    def send(text: str, box: str) -> Response:
        given = filled(secretary.get(path).text) | {"reason": text}
        return secretary.post(path, given | ({"confirmed": box} if box else {}))

    assert BOX not in secretary.get(path).text
    asked = send(DOUBTFUL, "")
    assert asked.status_code == 422
    for said in (PLACE, BOX, SAYS, f">{DOUBTFUL}</textarea>", 'aria-describedby="reason-wrong"'):
        assert said in asked.text, said
    assert house.case.rows(Decision, "id") == []
    refused = send(SURE, "yes")
    assert (refused.status_code, BOX in refused.text) == (422, False)
    assert send(DOUBTFUL, "yes").status_code == 303
    assert house.case.rows(Decision, "reason") == [(DOUBTFUL,)]
    assert confirmed(house) == [['"reason"']]


def test_an_honest_text_is_not_asked_about(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    honest = "问题线索移送机制不健全，已要求畅通信访举报渠道"
    given = filled(secretary.get(f"/steps/{slot}").text) | {"reason": honest}
    assert secretary.post(f"/steps/{slot}", given).status_code == 303
    assert confirmed(house) == []


def test_a_call_of_the_api_confirms_by_a_header(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    path = f"/api/steps/{slot}/decision"
    body = {"answer": "done", "reason": DOUBTFUL, "payload": None}
    asked = secretary.api(path, body).json()
    assert asked["error"] == "unconfirmed"
    assert asked["details"]["noticed"] == [
        {"kind": "telephone", "level": "warn", "start": 7, "end": 19}
    ]
    told = secretary.api(path, body, headers={"X-Confirmed": "yes"}).json()
    assert told.get("error") != "unconfirmed"


def test_the_reasons_of_rerouting_substituting_and_terminating(house: House) -> None:
    leader, slot = house.sign_in("district_secretary"), house.slot("assign-roles")
    secretary, posts = house.sign_in("secretary"), house.world.posts
    terms = given(house) | {"post": str(posts["secretary"])}
    held(
        secretary,
        lambda text, box: secretary.post("/substitutions", form(text, box, **terms)),
        "/substitutions",
        'value="{}"',
    )
    assert BOX not in secretary.get(NEW).text
    to = str(posts["deputy"])
    path = f"/steps/{slot}/rerouting"
    asked = leader.post(path, form(DOUBTFUL, "", post=to))
    assert (asked.status_code, BOX in asked.text, PLACE in asked.text) == (422, True, True)
    assert f'value="{DOUBTFUL}"' in asked.text
    assert leader.post(path, form(DOUBTFUL, "yes", post=to)).status_code == 303
    member, case = house.sign_in("district_member"), f"/cases/{house.case.case_id}"
    held(
        member,
        lambda text, box: member.post(f"{case}/termination", form(text, box)),
        case,
        ">{}</textarea>",
    )
    assert confirmed(house) == [['"reason"']] * 3


def test_the_sentence_and_the_withdrawal_of_evidence(doing: House) -> None:
    clerk, slot = doing.sign_in("office_clerk"), doing.slot("do-task", "office_clerk")
    asked = upload(clerk, slot, FILES, note=DOUBTFUL)
    assert asked.status_code == 422
    for said in (PLACE, BOX, f'value="{DOUBTFUL}"'):
        assert said in asked.text, said
    assert doing.case.rows(EvidenceVersion, "id") == []
    named = {written("{landline}.pdf"): REPORT}
    for box in ({}, {"confirmed": "yes"}):  # a name can do without
        refused = upload(clerk, slot, named, "f" * 12, **box)
        assert (refused.status_code, BOX in refused.text) == (422, False)
    assert upload(clerk, slot, FILES, "n" * 12, note=DOUBTFUL, confirmed="yes").status_code == 303
    version, piece = doing.case.rows(EvidenceVersion, "id", "evidence_id")[0]
    path = f"/evidence/versions/{version}/withdrawn"
    held(
        clerk,
        lambda text, box: clerk.post(path, form(text, box)),
        f"/evidence/{piece}",
        'value="{}"',
    )
    assert doing.case.rows(EvidenceWithdrawal, "reason") == [(DOUBTFUL,)]
    assert confirmed(doing) == [['"note"'], ['"reason"']]


def test_the_cells_of_files_are_listed_and_confirmed_together(house: House) -> None:
    office = house.sign_in("inspection_head")
    unit = {"unit": str(house.world.organisations["town"]), "batch": "第二轮"}
    clerk = house.sign_in("secretary")
    clerk.post(
        f"/steps/{house.slot('assign-roles')}",
        filled(clerk.get(f"/steps/{house.slot('assign-roles')}").text),
    )
    drafting = house.slot("draft-plan")
    planner = house.sign_in("clerk")
    files: dict[str, tuple[Browser, dict[str, Any], bytes, str]] = {
        "/import": (
            office,
            unit,
            workbook({PROBLEMS: changed(problems(), (2, "具体表现", DOUBTFUL))}),
            "具体表现",
        ),
        "/ledgers": (
            office,
            unit | {"batch": "第三轮"},
            ledger(problems=changed(ledger_rows(), (3, "反馈问题", DOUBTFUL))),
            "反馈问题",
        ),
        f"/steps/{drafting}/tasks": (
            planner,
            {},
            workbook({TASKS: changed(tasks(), (2, "完成标准", DOUBTFUL))}),
            "完成标准",
        ),
    }
    for path, (who, fields, data, column) in files.items():
        sent = {"file": ("清单.xlsx", data)}
        asked = who.post(path, fields | {"key": f"first{path}"}, files=sent)
        assert asked.status_code == 422, path
        for said in (column, "像是含有电话号码", CONFIRM, BOX, SAYS):
            assert said in asked.text, (path, said)
        done = who.post(path, fields | {"key": f"sure{path}", "confirmed": "yes"}, files=sent)
        assert done.status_code == 303, path
    entries = confirmed(house)  # an import tells of its case as well
    assert (len(entries), {name for one in entries for name in one}) == (4, {'"data"'})
