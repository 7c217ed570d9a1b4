"""线下签批登记 on the pages and the API: the step's own form, the scan, what its signer sees."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Engine

from models.audit import Audit
from models.casework import Decision
from models.signed_paper import SignedPaper
from tests.evidence_scene import docx, keeping
from tests.paper_scene import PAPER
from tests.rectification_cast import begin, proposed
from tests.test_web_access import anonymous
from tests.vacancy_scene import holding
from tests.web_house import HERE, Browser, House, failing_commits, open_house
from tests.world import Clock

ON = "2026-03-02"


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    """The first step waits on the secretary of the town, whose clerk keeps the papers."""
    case = begin(engine, Clock())
    keeping(case, tmp_path / "files")
    return open_house(case)


def roles(house: House) -> dict[str, str]:
    """The form of the step as it is proposed."""
    return {"form": "assign_roles"} | {
        f"role.{problem}.{role}": str(post)
        for problem, roles in proposed(house.case).items()
        for role, post in roles.items()
    }


def told(house: House, **given: str) -> dict[str, str]:
    """What a clerk fills in."""
    signer = str(holding(house.world, "secretary"))
    paper = {"signer": signer, "signed_on": ON, "answer": "done", "reason": "按此分工"}
    return {"key": "k" * 20} | paper | roles(house) | given


def send(
    browser: Browser,
    slot: int,
    form: dict[str, str],
    scan: tuple[str, bytes] | None = ("签批件.pdf", PAPER),
) -> Response:
    files: Any = [("scan", scan)] if scan else [("none", ("", b""))]
    return browser.post(f"/steps/{slot}/paper", form, files=files)


def kept(house: House) -> list[tuple[Any, ...]]:
    return house.case.rows(SignedPaper, "id", "name")


def test_a_clerk_records_it_and_it_is_shown_as_such_to_whoever_looks(house: House) -> None:
    clerk, slot = house.sign_in("clerk"), house.slot("assign-roles")
    step = f"/steps/{slot}"
    assert f'href="{step}/paper"' in clerk.get(step).text
    page = clerk.get(f"{step}/paper").text
    for said in ("线下签批登记", "梧桐路街道党工委书记", "town 书记", 'type="file"', "role.", ON):
        assert said in page, said
    assert clerk.get(f"{step}/acts/record").headers["Location"] == f"{step}/paper"
    assert send(clerk, slot, told(house)).headers["Location"] == step
    assert send(clerk, slot, told(house)).status_code == 303, "once more is the same"
    ((paper, _),) = kept(house)
    secretary = house.sign_in("secretary")
    link = f'href="/papers/{paper}/seen"'
    for who, path in (
        (secretary, "/done"),
        (secretary, step),
        (clerk, step),
        (clerk, _case(house)),
    ):
        shown = who.get(path).text
        assert re.search("代录</span> .*3月2日.*在纸上签批.*由梧桐路街道党工委联络员登记", shown), (
            path
        )
        assert link in shown
    assert "没有签批过的，请撤回" in secretary.get(step).text
    assert "没有签批过的，请撤回" not in clerk.get(step).text
    assert "您的签批已代录" in secretary.get("/messages").text
    assert clerk.get(f"{step}/paper").headers["Location"] == step, "it came too late"


def _case(house: House) -> str:
    return f"/cases/{house.case.case_id}"


def test_what_is_wrong_stays_on_the_form_and_no_file_is_kept(house: House) -> None:
    clerk, slot = house.sign_in("clerk"), house.slot("assign-roles")
    late = told(house, signed_on="2026-03-09")
    answer = send(clerk, slot, late)
    assert (answer.status_code, "不能晚于今天" in answer.text) == (422, True)
    for said in ('value="2026-03-09"', "按此分工", 'aria-invalid="true"', "重新选择扫描件"):
        assert said in answer.text, said
    for scan in (None, ("稿.docx", docx("同意"))):
        assert send(clerk, slot, told(house), scan).status_code == 422
    two: Any = [("scan", (name, PAPER)) for name in ("一.pdf", "二.pdf")]
    assert clerk.post(f"/steps/{slot}/paper", told(house), files=two).status_code == 422
    generic = clerk.post(f"/steps/{slot}/acts/record", told(house))
    assert (generic.status_code, "扫描件" in generic.text) == (422, True)
    assert kept(house) == []
    assert house.case.env.files is not None
    assert list(house.case.env.files.names()) == []


def test_who_may_not_is_refused_before_the_file_and_a_stranger_learns_nothing(house: House) -> None:
    slot = house.slot("assign-roles")
    above, outsider = house.sign_in("district_secretary"), house.sign_in("outsider")
    assert above.get(f"/steps/{slot}/paper").headers["Location"] == f"/steps/{slot}"
    assert send(above, slot, told(house)).status_code == 403
    answers = [send(outsider, at, told(house)) for at in (slot, 99_999)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert anonymous(answers[0].text) == anonymous(answers[1].text)
    assert kept(house) == []


def test_the_scan_is_handed_out_to_who_may_see_the_step_and_that_is_recorded(house: House) -> None:
    clerk, slot = house.sign_in("clerk"), house.slot("assign-roles")
    send(clerk, slot, told(house))
    ((paper, _),) = kept(house)
    seen = house.sign_in("district_secretary").get(f"/papers/{paper}/seen")
    assert (seen.content, seen.headers["Content-Type"]) == (PAPER, "application/pdf")
    assert "sandbox" in seen.headers["Content-Security-Policy"]
    saved = clerk.get(f"/papers/{paper}/downloaded")
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert house.case.rows(Audit, "stream")[-2:] == [(f"read/paper/{paper}",)] * 2
    outsider = house.sign_in("outsider")
    answers = [outsider.get(f"/papers/{one}/seen") for one in (paper, 99_999)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert anonymous(answers[0].text) == anonymous(answers[1].text)


@pytest.mark.parametrize("api", [False, True])
def test_nobody_is_told_it_is_done_when_it_is_not_saved(house: House, api: bool) -> None:
    clerk, slot = house.sign_in("clerk"), house.slot("assign-roles")
    with failing_commits(house.case.env.engine):
        answer = _api(clerk, slot, told(house)) if api else send(clerk, slot, told(house))
    assert answer.status_code == 503
    assert house.case.rows(Decision, "id") == []


def _api(browser: Browser, slot: int, form: dict[str, str], payload: str = "") -> Response:
    headers = {"Origin": HERE, "X-CSRF-Token": browser.csrf, "Idempotency-Key": "key-12345678"}
    files: Any = [("scan", ("签批件.pdf", PAPER))]
    data = form | {"payload": payload}
    return browser.send("POST", f"/api/steps/{slot}/paper", data=data, files=files, headers=headers)


def test_the_api_does_the_same(house: House) -> None:
    clerk, slot = house.sign_in("clerk"), house.slot("assign-roles")
    assert _api(clerk, slot, told(house), "{").json()["message"] == "payload 须为 JSON。"
    assert _api(clerk, slot, told(house), "[]").status_code == 422, "these are no roles"
    text = json.dumps(proposed(house.case))
    done = _api(clerk, slot, told(house), text)
    assert (done.status_code, done.json()["late"]) == (200, False)
    shown = clerk.get(f"/api/steps/{slot}").json()
    assert shown["asked"][0]["paper"]["signed_on"] == ON
