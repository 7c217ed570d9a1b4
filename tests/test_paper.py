"""线下签批登记 (代录): whose the decision is, who may record it, and how its signer contests it."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import dates
from sqlalchemy import Engine, select, update

from models.act import ActRecord
from models.audit import Audit
from models.base import table
from models.casework import Decision
from models.evidence import EvidenceFile
from models.organisation import RelationKind
from models.signed_paper import SignedPaper
from policy.acts import Act
from policy.calendar import instant_on
from policy.outcome import RETURN
from policy.paper import day_refusal, judged_at
from services.acts import act_form
from services.acts.acting import MayNotAct
from services.acts.recording import SignerBarred
from services.acts.signing import ScanNeeded
from services.casework import decide
from services.env import Env
from services.errors import AlreadyDecided, Invalid, KeyReused, NotAuthorised, NotFound
from services.file_store import FileStore
from services.history import of_case
from services.invariants import violations
from services.message import messages_for
from services.scope import standing
from services.step_page import step_page
from services.substitution import revoke
from tests.acts_scene import do, offered, slot_of, stand_in, told
from tests.evidence_scene import docx, png
from tests.paper_scene import PAPER, empty, give_to, keep_files, record, sound
from tests.parts_case import approve, start, values
from tests.test_change_races import meet
from tests.vacancy_scene import come, gone, holding, settle, today, town
from tests.waiting import walk_in
from tests.world import Clock, World, serve

_acts, _audit = table(ActRecord), table(Audit)
_decisions, _papers = table(Decision), table(SignedPaper)
_files = table(EvidenceFile)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock, tmp_path: Path) -> Iterator[World]:
    """A part is to be done by the deputy; the town's clerk keeps the papers."""
    for made in town(engine, clock):
        keep_files(made, tmp_path / "files")
        start(made)
        approve(made)
        settle(made)
        yield made


def store_of(world: World) -> FileStore:
    assert world.env.files is not None
    return world.env.files


def page(world: World, by: str, slot: int) -> Any:
    with world.env.engine.connect() as db:
        return step_page(db, standing(db, world.people[by], today(world)), slot, world.env.clock())


def refused(world: World, kind: type[Invalid], field: str, by: str, slot: int, **given: Any) -> str:
    with pytest.raises(kind) as error:
        record(world, by, slot, given.pop("signer", "deputy"), given.pop("on", None), **given)
    assert error.value.details["field"] == field
    return error.value.message


def test_the_decision_is_the_signers_and_who_recorded_it_stands_beside(
    world: World, clock: Clock
) -> None:
    slot, signed = slot_of(world, "do"), today(world)
    clock.forward(days=40)
    done = record(world, "clerk", slot, "deputy", signed, reason="同意办结")
    assert not done.late, "it was signed in time, whenever a clerk came to it"
    with world.env.engine.connect() as db:
        kept = db.execute(select(_decisions).where(_decisions.c.slot_id == slot)).one()
        act = db.execute(select(_acts).where(_acts.c.act == Act.RECORD)).one()
        line = of_case(db, 1)[0]
        last = select(_audit.c.body).order_by(_audit.c.id.desc()).limit(1)
        body = json.loads(db.execute(last).scalar_one())
    assert kept.person_id == world.people["deputy"]
    assert (kept.appointment_id, kept.at) == (holding(world, "deputy"), clock.now)
    assert (act.person_id, act.post_id) == (world.people["clerk"], world.posts["clerk"])
    assert line.paper is not None
    assert (line.by, line.paper.by) == ("梧桐路街道党工委副书记", "梧桐路街道党工委联络员")
    assert (line.paper.signed_on, line.paper.recorded_at) == (signed, clock.now)
    assert body["by"] == world.people["clerk"]
    (note,) = [one for one in body["changes"] if "decision" in one]
    assert note["paper"]["person"] == world.people["deputy"]
    assert store_of(world).path(note["paper"]["sha256"]).read_bytes() == PAPER
    (asked,) = page(world, "secretary", slot).asked
    assert asked.paper == line.paper
    assert not [one for one in page(world, "secretary", slot).past if not one.answer]
    assert ("confirm", "secretary") in world.waiting()
    assert record(world, "clerk", slot_of(world, "do"), "deputy").late, "it was signed after it"
    assert sound(world)
    with world.env.engine.begin() as db:
        db.execute(update(_files).values(size=1))
    assert {str(one) for one in violations(world.env.engine, today(world))} == {
        "INV-6 办理意见与审计记录不符（decision=5）",
        "INV-6 办理意见与审计记录不符（decision=6）",
    }


@given(dates(min_value=date(2026, 1, 1), max_value=date(2027, 1, 1)))
def test_a_paper_is_late_from_the_day_after_the_last(on: date) -> None:
    due_at = judged_at(on + timedelta(days=1))  # a due date ends with its day
    assert judged_at(on) < due_at <= judged_at(on + timedelta(days=1))
    assert day_refusal(on, on, on) is None
    assert day_refusal(on, on + timedelta(days=1), on + timedelta(days=1)) is not None
    assert day_refusal(on + timedelta(days=1), on, on) is not None


def test_only_the_office_that_keeps_the_papers_records(world: World) -> None:
    slot = slot_of(world, "do")
    assert Act.RECORD in offered(world, "clerk", slot)
    for by in ("secretary", "district_member", "town_discipline_secretary", "deputy"):
        assert Act.RECORD not in offered(world, by, slot), by
        with pytest.raises(MayNotAct):
            record(world, by, slot, "deputy")
    for by, missing in (("outsider", slot), ("clerk", 10**9)):
        with pytest.raises(NotFound) as error:
            record(world, by, missing, "deputy")
        assert not isinstance(error.value, NotAuthorised)
    stand_in(world, "deputy", "clerk")
    assert Act.RECORD not in offered(world, "clerk", slot), "they may answer it themselves"
    with pytest.raises(MayNotAct):
        record(world, "clerk", slot, "deputy")
    assert empty(store_of(world))
    assert values(world, select(_papers.c.id)) == []
    assert Act.RECORD not in offered(world, "personnel_head", slot)
    for unit in ("town", "town_discipline"):
        serve(world, "personnel", RelationKind.PARTY_OFFICE, unit)
    give_to(world, slot, "town_discipline_secretary")
    assert Act.RECORD not in offered(world, "personnel_head", slot), "it serves who is checked"
    slot = next(one for one, *asked in world.open_slots() if asked == ["do", "deputy"])
    record(world, "personnel_head", slot, "deputy")
    (asked,) = page(world, "clerk", slot).asked
    assert asked.paper.by == "滨河区委组织部部长"
    assert sound(world)


def test_what_cannot_be_is_named_and_keeps_no_file(world: World, clock: Clock) -> None:
    slot, opened = slot_of(world, "do"), today(world)
    clock.forward(days=2)
    later = opened + timedelta(days=3)
    assert "晚于今天" in refused(world, Invalid, "signed_on", "clerk", slot, on=later)
    before = opened - timedelta(days=1)
    assert "3月2日" in refused(world, Invalid, "signed_on", "clerk", slot, on=before)
    assert "2026-03-01" in refused(world, Invalid, "signed_on", "clerk", slot, on="昨天")
    refused(world, Invalid, "signer", "clerk", slot, signer="clerk")
    refused(world, Invalid, "answer", "clerk", slot, answer="agree")
    refused(world, Invalid, "back_to", "clerk", slot, answer=RETURN, reason="不全")
    refused(world, Invalid, "reason", "clerk", slot, reason="标有机密★")
    refused(world, ScanNeeded, "scan", "clerk", slot, scan=None)
    for name, data in (("稿.docx", docx("同意")), ("假.pdf", b"MZ"), ("机密★.png", png())):
        assert refused(world, Invalid, "scan", "clerk", slot, scan=(name, data))
    assert values(world, select(_papers.c.id)) == []
    assert empty(store_of(world))


def test_a_signer_held_the_post_on_the_day_of_the_paper(world: World, clock: Clock) -> None:
    slot, opened, former = slot_of(world, "do"), today(world), holding(world, "deputy")
    gone(world, "deputy", in_days=2)
    clock.forward(days=3)
    settle(world)
    come(world, "deputy")
    newer = holding(world, "deputy")
    late = opened + timedelta(days=3)
    for signer, on in ((former, late), (newer, opened + timedelta(days=2))):
        refused(world, Invalid, "signer", "clerk", slot, signer=signer, on=on)
    record(world, "clerk", slot, former, opened + timedelta(days=1))
    (by,) = values(world, select(_decisions.c.person_id).where(_decisions.c.slot_id == slot))
    assert by == world.people["deputy"]
    assert offered(world, "deputy", slot) == {Act.WITHDRAW}, "although they left"
    do(world, "deputy", Act.WITHDRAW, slot, reason="没有签过")
    assert ("do", "deputy") in world.waiting()
    assert sound(world)


def test_four_eyes_are_the_signers_and_never_who_recorded(world: World) -> None:
    record(world, "clerk", slot_of(world, "do"), "deputy")
    slot = slot_of(world, "confirm")
    with world.env.engine.connect() as db:
        who = standing(db, world.people["secretary"], today(world))
        posts = act_form(db, who, Act.TRANSFER, slot).fields[0].options
    assert [name for _, name in posts] == ["梧桐路街道党工委联络员"], "but not the deputy"
    instead = stand_in(world, "deputy", "secretary")
    back: Any = {"signer": "secretary", "answer": RETURN, "reason": "不全"}
    refused(world, SignerBarred, "signer", "clerk", slot, **back)
    revoke(world.env, world.actor("deputy"), substitution_id=instead, key="back")
    record(world, "clerk", slot, **back)
    assert world.waiting().count(("do", "deputy")) == 3, "it is returned as by its signer"
    assert sound(world)


def test_of_two_one_is_first_and_the_other_reads_who(world: World) -> None:
    first, second, third = (one for one, key, _ in world.open_slots() if key == "do")
    decide(world.env, world.actor("deputy"), slot_id=first, answer="done", key="theirs")
    with pytest.raises(AlreadyDecided, match="副书记于.*办理"):
        record(world, "clerk", first, "deputy")
    assert empty(store_of(world))
    done = record(world, "clerk", second, "deputy", key="one-key")
    with pytest.raises(AlreadyDecided, match="副书记（梧桐路街道党工委联络员代录）于"):
        decide(world.env, world.actor("deputy"), slot_id=second, answer="done", key="late")
    assert record(world, "clerk", second, "deputy", key="one-key") == done
    with pytest.raises(KeyReused):
        record(world, "clerk", second, "deputy", key="one-key", reason="另一句")
    if world.env.engine.dialect.name == "postgresql":
        paper = partial(record, world, "clerk", third, "deputy", key="both")
        _, refusal = meet(world, partial(_click, world, third), paper)
        assert isinstance(refusal, AlreadyDecided)
        assert ("do", "deputy") not in world.waiting()
    assert len(values(world, select(_papers.c.id))) == 1
    assert not list(violations(world.env.engine, today(world)))


def _click(world: World, slot: int) -> None:
    decide(world.env, world.actor("deputy"), slot_id=slot, answer="done", key=f"click-{slot}")


def test_in_turn_a_paper_is_signed_when_its_turn_has_come(
    engine: Engine, clock: Clock, tmp_path: Path
) -> None:
    """依次, and 票决, which two of three settle."""
    walk = walk_in(Env(engine, clock), clock)
    world = walk.world
    keep_files(world, tmp_path / "files")
    walk.open("waiting_turn", instant_on(date(2026, 2, 2), 10))
    walk.open("waiting_vote", instant_on(date(2026, 2, 2), 10))
    clock.forward(days=2)
    world.answer("sign", "agree", "clerk")
    slot, before = slot_of(world, "sign"), today(world) - timedelta(days=1)
    assert "2月4日" in refused(
        world, Invalid, "signed_on", "clerk", slot, on=before, answer="agree"
    )
    record(world, "clerk", slot, "deputy", answer="agree")
    record(world, "clerk", slot_of(world, "sign"), "secretary", answer="agree")
    for by in ("deputy", "secretary"):
        slot = next(one for one, *asked in world.open_slots() if asked == ["vote", by])
        record(world, "clerk", slot, by, before, answer="agree")
    assert world.waiting() == []
    assert sound(world)


def test_its_signer_reads_of_it_and_takes_it_back(world: World, clock: Clock) -> None:
    slot, signed = slot_of(world, "do"), today(world)
    clock.forward(days=1)
    record(world, "clerk", slot, "deputy", signed)
    with world.env.engine.connect() as db:
        said = messages_for(db, world.people["deputy"])[0]
    for words in ("已代录", "3月2日", "梧桐路街道党工委联络员", "撤回", "更正", "不视为"):
        assert words in said.title + said.body, words
    (step,) = values(world, select(_decisions.c.step_id).where(_decisions.c.slot_id == slot))
    assert said.step_id == step
    for by in ("clerk", "secretary"):
        with pytest.raises(MayNotAct):
            do(world, by, Act.WITHDRAW, slot)
    do(world, "deputy", Act.WITHDRAW, slot, reason="意见录错了")
    assert told(world, "clerk", "contested") == 1
    clock.forward(days=1)
    anew = max(one for one, key, _ in world.open_slots() if key == "do")
    record(world, "clerk", anew, "deputy", signed)
    assert told(world, "deputy", "recorded") == 2, "the same paper, recorded right"
    assert sound(world)


def test_its_signer_corrects_it_once_others_went_on(world: World) -> None:
    slot = slot_of(world, "do")
    record(world, "clerk", slot, "deputy")
    record(world, "clerk", slot_of(world, "confirm"), "secretary", answer="agree")
    assert Act.CORRECT in offered(world, "deputy", slot)
    do(world, "deputy", Act.CORRECT, slot, reason="录错", text="办结，但第二项未完成")
    (asked,) = page(world, "secretary", slot).asked
    assert [one.text for one in asked.corrections] == ["办结，但第二项未完成"]
    assert told(world, "clerk", "contested") == 1
    assert sound(world)
