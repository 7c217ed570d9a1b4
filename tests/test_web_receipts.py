"""办理凭证: who decided or acted holds a proof of it that needs nothing of ours to be checked."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from policy.acts import Act
from services.database import reading
from services.seal_check import newest
from services.seal_proof import consistency
from services.sealing import Sealer
from tests.acts_scene import do
from tests.rectification_cast import begin
from tests.test_sealing import KEY, SECRET
from tests.web_house import House, open_house
from tests.world import Clock
from tools.audit_verifier import between, receipt

SAID = "同意所列分工，按期完成"


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary."""
    return open_house(begin(engine, Clock()))


def seal(house: House) -> None:
    assert Sealer(replace(house.case.env, seal_key=SECRET)).once() > 0


def kept(house: House, since: int = 0) -> dict[str, Any]:
    """The newest seal as it leaves the house, with the proof since an earlier one."""
    with reading(house.case.env.engine) as db:
        told = newest(db)
        assert told is not None
        if since:
            path = list(consistency(db, since, told["number"]))
            told["consistency"] = {"since": since, "path": path}
    return json.loads(json.dumps(told)) if told else {}


def wrong(given: Any, told: Any = None, public: str = KEY.public) -> list[str]:
    return [one["what"] for one in receipt(given, public, told)]


def test_who_decided_holds_a_receipt_that_is_checked_without_this_system(house: House) -> None:
    secretary, slot = house.sign_in("secretary"), house.slot("assign-roles")
    do(house.world, "district_secretary", Act.URGE, slot)
    given = house.case
    given.answer("assign-roles", reason=SAID)
    path = f"/receipts/decision/{slot}"
    assert f'href="{path}"' in secretary.get(f"/steps/{slot}").text
    assert f'href="{path}"' in secretary.get("/done").text
    assert "尚未封存" in secretary.get(path).text
    assert wrong(secretary.get(f"{path}/file").json()) == ["it is not sealed yet"]
    given.answer("draft-plan")
    seal(house)
    first = kept(house)
    page = secretary.get(path).text
    for said in (SAID, "已封存至", "第 1 次", first["root"]):
        assert said in page, said
    file = secretary.get(f"{path}/file")
    assert file.headers["Content-Disposition"].startswith('attachment; filename="receipt-')
    whole = file.json()
    assert (wrong(whole), wrong(whole, first)) == ([], [])
    assert whole["opening"]["said"][0] == SAID
    given.review()
    seal(house)
    later = kept(house, since=1)
    assert wrong(whole, later) == []
    assert list(between(first, later, KEY.public)) == []
    assert wrong(whole, kept(house)) == ["the kept seal brings no proof since this one"]
    forged = later | {"consistency": {"since": 1, "path": later["consistency"]["path"][:-1]}}
    assert wrong(whole, forged) == ["the kept seal does not continue this one"]
    assert wrong(whole, first | {"root": later["root"]}) == [
        "a signature does not fit", "the kept seal is another one",
    ]  # fmt: skip
    assert wrong(whole, public="00") == ["the key is not the one that was named"]
    for part, what in forgeries(whole):
        assert what in wrong(part), what


def forgeries(whole: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """The receipt with one thing changed, and what is found."""
    entry, sealed, opening = whole["entry"], whole["sealed"], whole["opening"]
    other = entry["body"].replace('"answer":"done"', '"answer":"agree"')
    assert other != entry["body"]
    assert sealed["after"] or sealed["path"]
    return [
        (whole | {"entry": entry | {"body": other}}, "a chain is broken"),
        (
            whole | {"opening": opening | {"said": ["不同意", *opening["said"][1:]]}},
            "what was written is not what the entry binds",
        ),
        (
            whole | {"sealed": sealed | {"path": [*sealed["path"], "00" * 32]}},
            "the entry is not under the seal",
        ),
        (whole | {"sealed": sealed | {"place": 99}}, "the entry is not under the seal"),
        (
            whole | {"sealed": sealed | {"seal": sealed["seal"] | {"size": 99}}},
            "a signature does not fit",
        ),
    ]


def test_an_act_has_one_too_and_nobody_else_gets_either(house: House) -> None:
    slot = house.slot("assign-roles")
    do(house.world, "district_secretary", Act.URGE, slot, reason="请抓紧")
    house.case.answer("assign-roles", reason=SAID)
    seal(house)
    above = house.sign_in("district_secretary")
    assert 'href="/receipts/act/1"' in above.get(f"/steps/{slot}").text
    assert "催办" in above.get("/receipts/act/1").text
    whole = above.get("/receipts/act/1/file").json()
    assert (wrong(whole), whole["did"], whole["opening"]["said"][0]) == ([], "urge", "请抓紧")
    secretary = house.sign_in("secretary")
    assert "/receipts/act" not in secretary.get(f"/steps/{slot}").text
    for browser, path in ((secretary, "/receipts/act/1"), (above, f"/receipts/decision/{slot}")):
        assert browser.get(path).status_code == browser.get(f"{path}/file").status_code == 404
    assert secretary.get("/receipts/other/1").status_code == 404
