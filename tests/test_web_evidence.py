"""Evidence through the pages and the API: real uploads, sandboxed answers, nobody else's files."""

import re
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Engine

from documents import inspecting
from documents.turns import Turns
from models.audit import Audit
from models.evidence import EvidenceVersion, EvidenceWithdrawal
from tests.evidence_scene import NOTE, docx, keeping, pdf, png
from tests.rectification_cast import begin
from tests.test_web_access import anonymous
from tests.web_house import HERE, Browser, House, failing_commits, open_house
from tests.world import Clock

REPORT, PHOTO = pdf(b"BT (done) Tj ET"), png()
FILES = {"清单.pdf": REPORT, "现场.png": PHOTO}


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    """The tasks of the plan are being done."""
    case = begin(engine, Clock())
    keeping(case, tmp_path / "files")
    case.plan()
    return open_house(case)


def upload(
    browser: Browser, slot: int, files: dict[str, bytes], key: str = "k" * 12, **given: str
) -> Response:
    """Send files in one form, as a browser does."""
    sent = [("files", (name, data)) for name, data in files.items()]
    form = {"note": NOTE, "key": key, **given}
    return browser.post(f"/steps/{slot}/evidence", form, files=sent)


def newest(house: House) -> tuple[int, int]:
    """The last version and its piece."""
    return house.case.rows(EvidenceVersion, "id", "evidence_id")[-1]


def test_files_are_given_on_the_page_of_the_step_and_stand_there(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    page = clerk.get(f"/steps/{slot}").text
    assert 'name="files"' in page
    assert "multiple" in page
    assert "佐证不是必须的" in page
    answer = upload(clerk, slot, FILES)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/steps/{slot}#evidence")
    for name in FILES:
        assert name in clerk.get(f"/steps/{slot}").text
    again = upload(clerk, slot, FILES)
    assert again.status_code == 303
    assert len(house.case.rows(EvidenceVersion, "id")) == 2


def test_who_confirms_sees_it_and_cannot_add(house: House) -> None:
    slot = house.slot("do-task", "office_clerk")
    upload(house.sign_in("office_clerk"), slot, FILES)
    house.case.answer("do-task", post="office_clerk")
    head = house.sign_in("office_head")
    page = head.get(f"/steps/{house.slot('confirm-task')}").text
    assert "清单.pdf" in page
    assert 'name="files"' not in page
    problem = head.get(f"/problems/{house.case.problems[1]}").text
    assert "现场.png" in problem
    assert "党建办联络员" in problem


def test_a_next_version_keeps_the_first(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    upload(clerk, slot, {"清单.pdf": REPORT})
    _, piece = newest(house)
    assert upload(clerk, slot, {"新.png": PHOTO}, "l" * 12, evidence=str(piece)).status_code == 303
    page = clerk.get(f"/evidence/{piece}").text
    assert page.index("新.png") < page.index("清单.pdf")
    assert "新版本不覆盖旧版本" in page
    assert upload(clerk, slot, {"新.png": PHOTO}, "m" * 12, evidence="x").status_code == 404


def test_the_form_offers_no_piece_of_another_task(house: House) -> None:
    slot = house.slot("do-task", "office_clerk")
    upload(house.sign_in("office_clerk"), slot, {"清单.pdf": REPORT})
    house.case.do_tasks()
    slot = house.slot("apply-closing")
    post = next(post for one, _, post in house.case.world.open_slots() if one == slot)
    applicant = house.sign_in(post)
    for path in (f"/steps/{slot}", f"/steps/{slot}/evidence"):
        assert 'name="evidence"' not in applicant.get(path).text
    assert upload(applicant, slot, {"照片.png": PHOTO}).status_code == 303
    _, piece = newest(house)
    for path in (f"/steps/{slot}", f"/steps/{slot}/evidence"):
        offered = re.findall(r'<option value="(\d+)"[^>]*>[^<]*新版本', applicant.get(path).text)
        assert offered == [str(piece)]


def test_what_is_refused_is_named_and_the_sentence_is_kept(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    answer = upload(clerk, slot, {"好.png": PHOTO, "程序.exe": b"MZ", "稿.docx": docx("机密★1年")})
    assert answer.status_code == 422
    for said in ("没有保存任何文件", "程序.exe", "只收 PDF", "稿.docx", "请走保密渠道", NOTE):
        assert said in answer.text, said
    assert 'name="files"' in answer.text
    assert "<img onerror" not in upload(clerk, slot, {"<img onerror=x>.exe": b"MZ"}).text
    assert house.case.rows(EvidenceVersion, "id") == []


def test_a_file_is_handed_out_sandboxed_with_its_own_kind(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    upload(clerk, slot, {"清单 “一”.pdf": REPORT})
    version, piece = newest(house)
    seen = clerk.get(f"/evidence/versions/{version}/seen")
    assert seen.content == REPORT
    assert seen.headers["Content-Type"] == "application/pdf"
    assert seen.headers["X-Content-Type-Options"] == "nosniff"
    assert seen.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert seen.headers["Cache-Control"] == "no-store"
    policy = seen.headers["Content-Security-Policy"]
    assert "sandbox" in policy.split("; ")
    assert "default-src 'none'" in policy
    assert "script" not in policy
    kept = clerk.get(f"/evidence/versions/{version}/downloaded")
    assert kept.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
    assert "\n" not in kept.headers["Content-Disposition"]
    page = clerk.get(f"/evidence/{piece}")
    assert page.headers["Content-Security-Policy"].endswith("frame-src 'self'")
    assert page.text.count("党建办联络员") >= 3, "both reads are listed"


def test_a_version_is_taken_back_on_its_page_and_shown_so(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    upload(clerk, slot, {"错的.pdf": REPORT, "现场.png": PHOTO})
    version, piece = house.case.rows(EvidenceVersion, "id", "evidence_id")[0]
    assert "撤回第 1 版" in clerk.get(f"/evidence/{piece}").text
    assert "撤回佐证" not in house.sign_in("secretary").get(f"/evidence/{piece}").text
    path = f"/evidence/versions/{version}/withdrawn"
    wrong = clerk.post(path, {"reason": "机密★", "key": "w" * 12})
    assert (wrong.status_code, "请走保密渠道" in wrong.text) == (422, True)
    done = clerk.post(path, {"reason": "传错了", "key": "v" * 12})
    assert (done.status_code, done.headers["Location"]) == (303, f"/evidence/{piece}")
    page = clerk.get(f"/evidence/{piece}").text
    for said in ("已撤回", "党建办联络员撤回：传错了", "这件佐证已经撤回"):
        assert said in page, said
    assert f"/evidence/versions/{version}/downloaded" in page
    assert "<iframe" not in page
    step = clerk.get(f"/steps/{slot}").text
    assert "已撤回" in step
    assert "1 件" in step
    assert clerk.post(path, {"reason": "再一次", "key": "u" * 12}).status_code == 409
    for who, status in (("secretary", 403), ("outsider", 404)):
        answer = house.sign_in(who).post(path, {"reason": "x", "key": "t" * 12})
        assert answer.status_code == status


def test_what_no_browser_shows_is_downloaded(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    upload(clerk, slot, {"稿.docx": docx("整改情况")})
    version, piece = newest(house)
    assert "请下载后查看" in clerk.get(f"/evidence/{piece}").text
    answer = clerk.get(f"/evidence/versions/{version}/seen")
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_strangers_request_answers_like_one_for_what_is_not_there(house: House) -> None:
    slot = house.slot("do-task", "office_clerk")
    upload(house.sign_in("office_clerk"), slot, FILES)
    version, piece = newest(house)
    outsider, before = house.sign_in("outsider"), len(house.case.rows(Audit, "id"))
    for path, missing in (
        (f"/evidence/{piece}", "/evidence/987654"),
        (f"/evidence/versions/{version}/seen", "/evidence/versions/987654/seen"),
        (f"/evidence/versions/{version}/downloaded", "/evidence/versions/987654/downloaded"),
        (f"/steps/{slot}/evidence", "/steps/987654/evidence"),
        (f"/api/problems/{house.case.problems[1]}/evidence", "/api/problems/987654/evidence"),
    ):
        seen, unseen = outsider.get(path), outsider.get(missing)
        assert seen.status_code == unseen.status_code == 404
        assert anonymous(seen.text) == anonymous(unseen.text)
    given = [upload(outsider, one, FILES) for one in (slot, 987_654)]
    assert [answer.status_code for answer in given] == [404, 404]
    assert anonymous(given[0].text) == anonymous(given[1].text)
    assert len(house.case.rows(Audit, "id")) == before
    assert house.stranger().get(f"/evidence/versions/{version}/seen").status_code == 303


def test_who_holds_another_post_may_look_and_not_give(house: House) -> None:
    slot, secretary = house.slot("do-task", "office_clerk"), house.sign_in("secretary")
    assert upload(secretary, slot, FILES).status_code == 403
    form = secretary.get(f"/steps/{slot}/evidence")
    assert (form.status_code, form.headers["Location"]) == (303, f"/steps/{slot}")


def test_nothing_is_said_to_be_kept_when_the_commit_fails(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    upload(clerk, slot, {"清单.pdf": REPORT})
    version, _ = newest(house)
    with failing_commits(house.case.env.engine):
        assert upload(clerk, slot, {"现场.png": PHOTO}, "z" * 12).status_code == 503
        assert clerk.get(f"/evidence/versions/{version}/seen").status_code == 503
        assert api(clerk, slot, {"现场.png": PHOTO}).status_code == 503
        taking = {"reason": "传错了", "key": "w" * 12}
        back = clerk.post(f"/evidence/versions/{version}/withdrawn", taking)
        assert back.status_code == 503
        assert taken(clerk, version, {"reason": "传错了"}).status_code == 503
    assert len(house.case.rows(EvidenceVersion, "id")) == 1
    assert house.case.rows(EvidenceWithdrawal, "id") == []


def test_more_than_an_upload_may_carry_is_refused_before_it_is_read(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    many = {f"{n}.png": b"x" * (1 << 20) for n in range(7)}
    answer = upload(clerk, slot, many)
    assert answer.status_code == 413
    assert "请分几次上传" in answer.text
    assert upload(clerk, slot, {"大.png": PHOTO + b"\0" * (3 << 20)}).status_code == 422


def test_who_finds_too_many_files_being_looked_at_keeps_nothing_and_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    with monkeypatch.context() as crowd:
        crowd.setattr(inspecting, "turn", Turns(0, 0, 0, inspecting.Crowded))
        answer = upload(clerk, slot, FILES)
        assert answer.status_code == 503
        assert "同时上传的文件太多，这次没有保存" in answer.text
        assert api(clerk, slot, FILES).json()["error"] == "too_many_uploads"
    store = house.case.env.files
    assert store is not None
    assert [*store.names(), *store.incoming.iterdir()] == []
    assert house.case.rows(EvidenceVersion, "id") == []
    assert upload(clerk, slot, FILES).status_code == 303


def api(
    browser: Browser, slot: int, files: dict[str, bytes], key: str = "key-12345678"
) -> Response:
    """Give files through the API."""
    headers = {"Origin": HERE, "X-CSRF-Token": browser.csrf, "Idempotency-Key": key}
    return browser.send(
        "POST",
        f"/api/steps/{slot}/evidence",
        data={"note": NOTE},
        files=[("files", one) for one in files.items()],
        headers=headers,
    )


def test_the_api_gives_and_lists(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    first = api(clerk, slot, FILES)
    assert first.status_code == 200
    assert api(clerk, slot, FILES).json() == first.json()
    listed = clerk.get(f"/api/problems/{house.case.problems[1]}/evidence").json()
    assert [one["id"] for one in listed] == first.json()["evidence"]
    assert listed[0]["versions"][0]["name"] == "清单.pdf"
    refused = api(clerk, slot, {"程序.exe": b"MZ"}, "other-12345678")
    assert refused.status_code == 422
    assert "程序.exe" in refused.json()["details"]["faults"][0]
    assert api(clerk, slot, FILES, "").json()["error"] == "key_needed"


def taken(
    browser: Browser, version: int, body: dict[str, Any], key: str = "key-taken-back"
) -> Response:
    """Take a version back through the API."""
    headers = {"Origin": HERE, "X-CSRF-Token": browser.csrf, "Idempotency-Key": key}
    path = f"/api/evidence/versions/{version}/withdrawal"
    return browser.send("POST", path, json=body, headers=headers)


def test_the_api_takes_back_as_the_page_does(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    given, why = api(clerk, slot, FILES).json(), {"reason": "传错了"}
    version, piece = given["versions"][0], given["evidence"][0]
    for who, status in (("secretary", 403), ("outsider", 404)):
        assert taken(house.sign_in(who), version, why).status_code == status
    for wrong in ({}, {"reason": ""}, {"reason": "机密★"}, why | {"version": "1"}):
        assert taken(clerk, version, wrong).status_code == 422
    assert taken(clerk, version, why, "").json()["error"] == "key_needed"
    first = taken(clerk, version, why)
    assert (first.status_code, first.json()) == (200, {"evidence_id": piece})
    assert taken(clerk, version, why).json() == first.json()
    late = taken(clerk, version, why, "another-key")
    assert (late.status_code, late.json()["error"]) == (409, "evidence_not_withdrawn")
    listed = clerk.get(f"/api/problems/{house.case.problems[1]}/evidence").json()
    assert listed[0]["versions"][0]["withdrawn"]["reason"] == "传错了"
    assert len(house.case.rows(EvidenceWithdrawal, "id")) == 1


def test_a_page_holds_no_name_that_a_file_could_break_out_of(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    upload(clerk, slot, {'a" onload="x{{7*7}}.png': PHOTO}, note="<b>{{7*7}}</b>")
    for path in (f"/steps/{slot}", f"/evidence/{newest(house)[1]}"):
        text = clerk.get(path).text
        assert "<b>{{" not in text
        assert not re.search(r'"\s*onload=', text)
        assert "49" not in re.sub(r'(src|href|value)="[^"]*"', "", text)
