"""Each kind of violation is planted by raw SQL and found; an untouched history has none."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from policy.calendar import local_day
from services import audit_trail, invariants, invariants_of_people
from services.casework import (
    claim_effect,
    drain,
    finish_effect,
    open_case,
    ready_effects,
)
from services.database import open_engine
from services.env import Env
from services.invariants import violations, violations_seen
from services.watch import sweep
from tests import parts, world
from tests.arranging import answer, arrange
from tests.forging import Act, copy, disarm, loosen, recorded_by_its_signer, shift
from tests.lived_database import database
from tests.pausing_plants import STANDING


@dataclass
class Lived:
    """A case of the test mechanism that was returned, went on, is late in places and still open."""

    engine: Engine
    on: date

    def found_after(self, acts: Sequence[str | Act]) -> set[tuple[str, str]]:
        """What is found once the tables were changed past triggers and foreign keys, as a forger
        with the disk would; then all is as it was.
        """
        with self.engine.connect() as db:
            disarm(db)
            with db.begin() as change:
                for act in acts:
                    if callable(act):
                        act(db)
                    else:
                        db.execute(text(act))
                found = {(v.invariant, v.what) for v in violations_seen(db, self.on)}
                change.rollback()
            db.invalidate()
            return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lived(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lived]:
    """Lived once for each kind of database; every test leaves its rows as they were."""
    with database(request, tmp_path_factory.mktemp("lived")) as url:
        engine = open_engine(url)
        yield _lived(engine)
        engine.dispose()


def _lived(engine: Engine) -> Lived:
    """Draft, review returned, revise, review, approve, publish; parts in all stages; some late."""
    clock = world.Clock()
    env = Env(engine, clock, mechanisms=parts.EDITION)
    with engine.begin() as db:
        db.execute(text("CREATE TABLE published (branch_id INTEGER)"))
    cast = world.build(env)
    parts.OUTSIDE.posts = cast.posts
    parts.OUTSIDE.failing.clear()
    town = cast.organisations["town"]
    cast.do(
        lambda work: {
            "case": open_case(work, mechanism=parts.NAME, organisation_id=town, number="试1")
        }
    )
    _live(env, cast, clock)
    return Lived(engine, local_day(clock.now))


def _live(env: Env, cast: world.World, clock: world.Clock) -> None:
    cast.answer("draft")
    cast.answer("review", "return", reason="不全")
    cast.answer("revise")
    for _ in range(2):
        cast.answer("review", "agree")
    cast.answer("approve", "agree")
    drain(env)
    with env.engine.connect() as db:
        ready = ready_effects(db, 1)
    for effect in ready:
        call = claim_effect(env, effect.id)
        assert call is not None
        finish_effect(env, call.effect_id, call.run())
    cast.answer("do")
    cast.answer("confirm", "agree")
    arrange(cast, "deputy", "clerk")
    answer(cast, "clerk", "do")
    for _ in range(5):
        clock.forward(days=7)
        sweep(env, 100)
        drain(env)
    cast.answer("confirm", "return", reason="不实")


def test_a_history_that_went_through_the_services_has_no_violation(lived: Lived) -> None:
    assert [str(violation) for violation in violations(lived.engine, lived.on)] == []


def test_a_database_without_cases_has_no_violation(engine: Engine) -> None:
    assert list(violations(engine, date(2026, 3, 2))) == []


@dataclass(frozen=True)
class Mutant:
    """What was done behind the services' back, and what must be said about it."""

    invariant: str
    what: str
    acts: tuple[str | Act, ...]


ANSWERED = "(SELECT min(id) FROM slot WHERE state = 'answered')"
BASIS = "(SELECT min(appointment_id) FROM decision)"
OPEN_SLOT = (
    "(SELECT min(s.id) FROM slot s JOIN step t ON t.id = s.step_id"
    " WHERE s.state = 'open' AND t.origin = 'script')"
)
OPEN_POST = f"(SELECT post_id FROM slot WHERE id = {OPEN_SLOT})"
OPEN_STEP = f"(SELECT step_id FROM slot WHERE id = {OPEN_SLOT})"
DONE_STEP = "(SELECT min(id) FROM step WHERE state = 'decided')"
CLOSED_BRANCH = "(SELECT min(id) FROM branch WHERE state = 'ended')"
OPEN_CHILD = f"(SELECT branch_id FROM step WHERE id = {OPEN_STEP})"
FIRST = "(SELECT min(id) FROM decision)"
TERMINATED = "UPDATE \"case\" SET state = 'terminated'"

MUTANTS = (
    *(Mutant(*planted) for planted in STANDING),
    Mutant(
        "INV-2",
        "同一待办有多条办理意见",
        (loosen("decision"), copy("decision", "id > 0", id=9001, key="again")),
    ),
    Mutant(
        "INV-2",
        "同一请求编号有多条办理意见",
        (loosen("decision"), copy("decision", "id > 0", id=9001)),
    ),
    Mutant("INV-2", "办理意见没有请求编号", (f"UPDATE decision SET key = '' WHERE id = {FIRST}",)),
    Mutant(
        "INV-2",
        "办理意见与其待办不在同一环节",
        (f"UPDATE decision SET step_id = step_id + 1 WHERE id = {FIRST}",),
    ),
    Mutant("INV-3", "待办已办理，却没有办理意见", (f"DELETE FROM decision WHERE id = {FIRST}",)),
    Mutant(
        "INV-3",
        "有办理意见，待办却不是已办理",
        (f"UPDATE slot SET state = 'voided' WHERE id = {ANSWERED}",),
    ),
    Mutant(
        "INV-3",
        "环节已结束，待办却仍未办理",
        (f"UPDATE slot SET state = 'open' WHERE id = {ANSWERED}",),
    ),
    Mutant(
        "INV-3",
        "环节待办理，却没有未办理的待办",
        (f"UPDATE slot SET state = 'unreached' WHERE id = {OPEN_SLOT}",),
    ),
    Mutant(
        "INV-3",
        "待加签人先办，却没有未办理的前加签",
        (f"UPDATE slot SET state = 'held' WHERE id = {OPEN_SLOT}",),
    ),
    Mutant(
        "INV-3",
        "状态与审计记录不符",
        (f"UPDATE step SET state = 'closed' WHERE id = {DONE_STEP}",),
    ),
    Mutant("INV-4", "待办环节没有期限", (f"UPDATE step SET due_at = NULL WHERE id = {OPEN_STEP}",)),
    Mutant(
        "INV-4",
        "环节已结束，升级阶梯却仍在走",
        (f"UPDATE step SET next_rung_at = opened_at WHERE id = {DONE_STEP}",),
    ),
    Mutant(
        "INV-4",
        "待办未到最后一级，升级阶梯却停了",
        (f"UPDATE step SET next_rung_at = NULL WHERE id = {OPEN_STEP}",),
    ),
    Mutant(
        "INV-4",
        "已退回的环节仍待办理",
        (f"UPDATE step SET voided = (1 = 1) WHERE id = {OPEN_STEP}",),
    ),
    Mutant(
        "INV-4",
        "职务缺位，且未告知上级",
        (f"DELETE FROM appointment WHERE post_id = {OPEN_POST}",),
    ),
    Mutant(
        "INV-4",
        "职务缺位与其事项的状态不符",
        (
            "INSERT INTO vacancy (id, post_id, case_id, noted_at, ended_at)"
            f" SELECT 9001, {OPEN_POST}, b.case_id, b.opened_at, b.opened_at FROM branch b"
            f" WHERE b.id = {OPEN_CHILD}",
        ),
    ),
    Mutant(
        "INV-3",
        "待办的职务与审计记录不符",
        (
            "UPDATE slot SET post_id = (SELECT max(p.id) FROM post p WHERE p.id NOT IN"
            f" (SELECT s.post_id FROM slot s)) WHERE step_id = {DONE_STEP}",
        ),
    ),
    Mutant(
        "INV-5",
        "分支停住了：没有待办、没有下级分支、没有自动事项、也没有待唤醒",
        (f"UPDATE step SET state = 'closed' WHERE id = {OPEN_STEP}", "DELETE FROM wake"),
    ),
    Mutant(
        "INV-5",
        "分支受阻，却没有再试的安排",
        ("DELETE FROM wake", f"UPDATE branch SET error = 'ValueError' WHERE id = {OPEN_CHILD}"),
    ),
    Mutant(
        "INV-5",
        "分支已结束，其中却仍有待办",
        ("DELETE FROM wake", f"UPDATE branch SET state = 'ended' WHERE id = {OPEN_CHILD}"),
    ),
    Mutant("INV-5", "事项已结束，却仍有分支未结束", ("UPDATE \"case\" SET state = 'ended'",)),
    Mutant("INV-5", "事项已终止，其中却仍有待办", (TERMINATED,)),
    Mutant(
        "INV-5",
        "事项已终止，却仍有未开始的自动事项",
        (TERMINATED, "UPDATE effect SET state = 'queued'"),
    ),
    Mutant("INV-6", "终止没有写明何人、以何职务、因何", (TERMINATED,)),
    Mutant("INV-6", "终止与审计记录不符", (TERMINATED,)),
    Mutant(
        "INV-5",
        "上级分支已停办，下级分支仍在办理",
        ("UPDATE branch SET state = 'voided' WHERE parent_id IS NULL",),
    ),
    Mutant(
        "INV-6",
        "办理意见不是由其请求写入的",
        (f"UPDATE decision SET key = 'never-asked' WHERE id = {FIRST}",),
    ),
    Mutant(
        "INV-6",
        "办理请求已完成，却没有办理意见",
        (f"DELETE FROM decision WHERE id = {FIRST}",),
    ),
    Mutant(
        "INV-6",
        "审计记录没有对应的请求",
        ("DELETE FROM command WHERE id = (SELECT min(command_id) FROM audit)",),
    ),
    Mutant(
        "INV-6",
        "待办已开，却没有通知办理人",
        (f"DELETE FROM message WHERE step_id = {OPEN_STEP}",),
    ),
    Mutant(
        "INV-6",
        "记录与审计只有其一",
        ("DELETE FROM audit WHERE stream = 'branch/1' AND n = 1",),
    ),
    Mutant("INV-6", "自动事项与审计记录不符", (copy("effect", "id > 0", id=9001, key="extra"),)),
    Mutant("INV-6", "办理意见与审计只有其一", (f"DELETE FROM decision WHERE id = {FIRST}",)),
    Mutant(
        "INV-6",
        "办理意见与审计记录不符",
        (f"UPDATE decision SET person_id = person_id + 1 WHERE id = {FIRST}",),
    ),
    Mutant(
        "INV-8",
        "同一待办的同一级升级了两次",
        (loosen("rung"), copy("rung", "id > 0", id=9001)),
    ),
    Mutant(
        "INV-8",
        "升级早于环节开始",
        (shift("rung", "at", "id > 0", timedelta(days=-400)),),
    ),
    Mutant(
        "INV-8",
        "待办结束之后仍有升级",
        (
            "UPDATE slot SET closed_at = (SELECT min(opened_at) FROM step)"
            " WHERE id = (SELECT min(slot_id) FROM rung)",
        ),
    ),
    Mutant(
        "INV-8",
        "到期或升级的级次早于期限",
        (shift("rung", "at", "kind = 'due'", timedelta(days=-4)),),
    ),
    Mutant(
        "INV-8",
        "升级早于阶梯规定的日期",
        (shift("rung", "at", "kind = 'superior'", timedelta(days=-6)),),
    ),
    Mutant(
        "INV-10",
        "审计链断裂",
        (
            "UPDATE audit SET body = replace(body, 'agree', 'return')"
            " WHERE id = (SELECT min(id) FROM audit WHERE body LIKE '%agree%')",
        ),
    ),
    Mutant(
        "INV-10",
        "审计链与其链头不符",
        ("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit WHERE stream = 'branch/1')",),
    ),
    Mutant(
        "INV-10",
        "审计记录的时间与其内容不符",
        (shift("audit", "at", "stream = 'branch/1' AND n = 3", timedelta(seconds=1)),),
    ),
    Mutant(
        "INV-17",
        "办理的依据不是这一职务的任职",
        (f"UPDATE appointment SET post_id = post_id + 1 WHERE id = {BASIS}",),
    ),
    Mutant(
        "INV-17",
        "代录人把自己登记为签批人",
        (recorded_by_its_signer,),
    ),
    Mutant(
        "INV-17",
        "代办的人或职务与其委托不符",
        ("UPDATE substitution SET substitute_post_id = substitute_post_id - 1",),
    ),
    Mutant(
        "INV-17",
        "代办的事项不在委托之内",
        ("UPDATE substitution SET every_mechanism = (1 = 0)",),
    ),
    Mutant(
        "INV-17",
        "代办时委托没有生效",
        (shift("substitution", "ended_at", "1 = 1", timedelta(days=-8)),),
    ),
    Mutant(
        "INV-17",
        "同一职务的同类事项同时委托了两人",
        (
            "UPDATE substitution SET ended_at = NULL, ended_how = NULL",
            copy("substitution", "1 = 1", id=99),
        ),
    ),
    Mutant(
        "INV-12",
        "审核或核验的人办理过前一环节",
        (
            "UPDATE decision SET person_id = (SELECT d.person_id FROM decision d"
            " JOIN step t ON t.id = d.step_id WHERE t.key = 'do' ORDER BY d.id LIMIT 1)"
            " WHERE id = (SELECT min(d.id) FROM decision d JOIN step t ON t.id = d.step_id"
            " WHERE t.key = 'confirm')",
        ),
    ),
    Mutant(
        "INV-23",
        "审计记录的时间早于前一条，而没有时钟变动的记录",
        (shift("audit", "at", "stream = 'branch/1' AND n = 3", timedelta(days=-1)),),
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{m.invariant}-{m.what}" for m in MUTANTS])
def test_a_planted_violation_is_found(lived: Lived, mutant: Mutant) -> None:
    assert (mutant.invariant, mutant.what) in lived.found_after(mutant.acts)


def test_every_kind_of_violation_has_its_mutant() -> None:
    source = "".join(
        Path(module.__file__ or "").read_text(encoding="utf-8")
        for module in (invariants, audit_trail, invariants_of_people)
    )
    said = set(re.findall(r'"(INV-\d+)",?\s+"([^"]+)"', source))
    assert said == {(mutant.invariant, mutant.what) for mutant in MUTANTS}
