"""离岗委托: who may decide in whose place, what both are told, and when it is no basis any more."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from models.audit import Audit
from models.base import table
from models.casework import Decision
from models.organisation import Appointment
from models.substitution import Substitution
from policy.calendar import local_day
from services.casework import decide
from services.casework.authority import SubstitutionEnded
from services.database import reading
from services.errors import AlreadyDecided, Invalid, KeyReused, NotAuthorised, NotFound
from services.history import done_by, of_case
from services.invariants import violations
from services.scope import visible_case
from services.step_page import step_page
from services.substitution import AlreadyEnded, end_due, make, revoke
from services.substitution_page import Substitutions, preview
from services.substitution_terms import CannotStandIn
from tests import parts
from tests.arranging import FRIDAY, TODAY, answer, arrange, terms, told, waits, who
from tests.parts_case import cast, start, values
from tests.world import Clock, World, appoint

_appointments, _decisions = table(Appointment), table(Decision)
_substitutions = table(Substitution)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(engine: Engine, clock: Clock) -> Iterator[World]:
    for made in cast(engine, clock):
        yield made
        found = violations(engine, local_day(clock()))
        assert [str(one) for one in found if one.invariant in ("INV-12", "INV-17")] == []


def leave(world: World, post: str) -> None:
    """From today on nobody holds a post."""
    gone = update(_appointments).where(_appointments.c.post_id == world.posts[post])
    today = local_day(world.env.clock())
    world.do(lambda work: {"n": work.db.execute(gone.values(ends_on=today)).rowcount})


def test_who_stands_in_decides_what_waits_on_the_post_and_what_comes(world: World) -> None:
    start(world)
    assert waits(world, "deputy") == []
    arrange(world, "clerk", "deputy")
    for number in (1, 2):
        mine = waits(world, "deputy")
        assert [(item.post, item.behalf) for item in mine] == [
            ("梧桐路街道党工委联络员", "代梧桐路街道党工委联络员")
        ]
        assert waits(world, "deputy", behalf=True) == mine
        answer(world, "deputy", "draft")
        assert waits(world, "deputy") == waits(world, "clerk") == []
        if number == 1:
            start(world, number="试〔2026〕2号")


def test_a_decision_says_who_made_it_in_whose_place_and_on_what_basis(world: World) -> None:
    case_id = start(world)
    made = arrange(world, "clerk", "deputy")
    answer(world, "deputy", "draft")
    with world.env.engine.connect() as db:
        row = db.execute(select(_decisions)).one()
        entry = db.execute(select(table(Audit).c.body).order_by(table(Audit).c.id.desc()))
        body = str(entry.scalars().first())
    assert (row.person_id, row.post_id) == (world.people["deputy"], world.posts["clerk"])
    assert row.substitution_id == made
    assert f'"substitution":{made}' in body
    with reading(world.env.engine) as db:
        said = "梧桐路街道党工委副书记代梧桐路街道党工委联络员"
        assert [line.by for line in of_case(db, case_id)] == [said]
        assert [line.by for line in done_by(db, world.people["deputy"])] == [said]
        page = step_page(db, who(world, db, "clerk"), row.slot_id, world.env.clock())
        assert [one.post for one in page.asked] == [said]
        assert [line.decided for line in Substitutions(who(world, db, "clerk")).lines(db)] == [1]


def test_the_represented_person_may_decide_too_and_the_other_is_told(world: World) -> None:
    start(world)
    arrange(world, "clerk", "deputy")
    answer(world, "clerk", "draft")
    assert told(world, "deputy")[0].startswith("本人已办理：")
    with pytest.raises(StopIteration):
        answer(world, "deputy", "draft")
    start(world, number="试〔2026〕2号")
    slot = next(slot for slot, key, _ in world.open_slots() if key == "draft")
    answer(world, "deputy", "draft")
    assert told(world, "clerk")[0].startswith("已代办：")
    with pytest.raises(AlreadyDecided) as late:
        late_answer(world, "clerk", slot)
    assert late.value.details["by"] == "梧桐路街道党工委副书记代梧桐路街道党工委联络员"


def late_answer(world: World, post: str, slot: int) -> None:
    """Whoever holds a post answers a slot that they opened some time ago."""
    decide(world.env, world.actor(post), slot_id=slot, answer="done", key=world.key())


def test_it_is_in_force_from_its_first_day_to_its_last(world: World, clock: Clock) -> None:
    start(world)
    arrange(world, "clerk", "deputy", starts_on=TODAY + timedelta(days=1), until_on=FRIDAY)
    assert waits(world, "deputy") == []
    with pytest.raises(NotAuthorised):
        answer(world, "deputy", "draft")
    for day in range(4):
        clock.now = clock.now.replace(day=3 + day)
        assert len(waits(world, "deputy")) == 1, clock.now
    clock.now = clock.now.replace(day=6, hour=15, minute=59)  # 23:59 in Shanghai
    assert len(waits(world, "deputy")) == 1
    clock.now = clock.now.replace(hour=16, minute=0)
    assert waits(world, "deputy") == []


@pytest.mark.parametrize("ended", ["expired", "revoked", "left", "substitute left"])
def test_one_that_ends_while_the_form_is_filled_in_is_no_basis(
    world: World, clock: Clock, ended: str
) -> None:
    start(world)
    made = arrange(world, "clerk", "deputy")
    slot = waits(world, "deputy")[0].slot_id
    if ended == "expired":
        clock.forward(days=5)
    elif ended == "revoked":
        revoke(world.env, world.actor("clerk"), substitution_id=made, key=world.key())
    else:
        leave(world, "clerk" if ended == "left" else "deputy")
    with pytest.raises(SubstitutionEnded, match="委托"):
        late_answer(world, "deputy", slot)
    assert values(world, select(_decisions.c.id)) == []


def test_an_outsider_and_a_former_substitute_learn_nothing_of_what_came_later(
    world: World, clock: Clock
) -> None:
    arrange(world, "clerk", "outsider")
    clock.forward(days=5)
    end_due(world.env)
    case_id = start(world)
    slot = world.open_slots()[0][0]
    with reading(world.env.engine) as db, pytest.raises(NotFound):
        visible_case(db, who(world, db, "outsider"), case_id)
    with pytest.raises(NotFound):
        late_answer(world, "outsider", slot)


def test_a_substitute_sees_the_cases_they_are_asked_in_and_no_others(world: World) -> None:
    one = start(world)
    arrange(world, "clerk", "outsider")
    with reading(world.env.engine) as db:
        visible_case(db, who(world, db, "outsider"), one)
    answer(world, "clerk", "draft")
    with reading(world.env.engine) as db, pytest.raises(NotFound):
        visible_case(db, who(world, db, "outsider"), one)


def test_only_matters_of_the_named_mechanisms_are_given(world: World) -> None:
    start(world)
    arrange(world, "clerk", "deputy", mechanisms=frozenset({parts.NAME}))
    assert len(waits(world, "deputy")) == 1
    with pytest.raises(Invalid):
        arrange(world, "secretary", "deputy", mechanisms=frozenset({"nothing"}))


def test_of_other_mechanisms_nothing_is_given_or_told(world: World) -> None:
    made = arrange(world, "clerk", "deputy", mechanisms=frozenset({parts.NAME}))
    start(world)
    slot = waits(world, "deputy")[0].slot_id
    assert told(world, "deputy")[0].startswith("〔代梧桐路街道党工委联络员〕待办：")
    limits = "UPDATE substitution_mechanism SET mechanism = 'another'"
    with world.env.engine.begin() as db:  # as if it had been limited so
        for trigger in ("update", "delete"):
            on = " ON substitution_mechanism" if db.dialect.name == "postgresql" else ""
            db.exec_driver_sql(f"DROP TRIGGER substitution_mechanism_{trigger}_refused{on}")
        db.exec_driver_sql(limits)
    assert waits(world, "deputy") == []
    with pytest.raises(NotAuthorised):
        late_answer(world, "deputy", slot)
    before = told(world, "deputy")
    start(world, number="试〔2026〕2号")
    assert told(world, "deputy") == before
    assert made


def test_both_are_told_when_it_is_made_revoked_and_when_it_ends(world: World, clock: Clock) -> None:
    made = arrange(world, "clerk", "deputy")
    for post in ("clerk", "deputy"):
        assert told(world, post) == ["离岗委托：梧桐路街道党工委副书记代梧桐路街道党工委联络员"]
    revoke(world.env, world.actor("clerk"), substitution_id=made, key=world.key())
    arrange(world, "clerk", "deputy")
    clock.forward(days=4)
    assert end_due(world.env) == 0
    clock.forward(days=1)
    assert (end_due(world.env), end_due(world.env)) == (1, 0)
    ended = "离岗委托结束：梧桐路街道党工委副书记不再代梧桐路街道党工委联络员"
    for post in ("clerk", "deputy"):
        assert told(world, post).count(ended) == 2
    with reading(world.env.engine) as db:
        states = [line.state for line in Substitutions(who(world, db, "deputy")).lines(db)]
    assert states == ["expired", "revoked"]


def test_one_whose_post_was_left_ends_and_does_not_come_back(world: World, clock: Clock) -> None:
    start(world)
    arrange(world, "clerk", "deputy", until_on=TODAY + timedelta(days=30))
    clock.forward(days=1)
    leave(world, "deputy")
    assert end_due(world.env) == 1
    world.do(lambda work: {"a": appoint(work, world.posts["deputy"], world.people["deputy"])})
    assert waits(world, "deputy") == []
    assert values(world, select(_substitutions.c.ended_how)) == ["left"]


def test_what_the_substitute_was_told_and_did_not_read_is_taken_back_at_the_end(
    world: World,
) -> None:
    made = arrange(world, "clerk", "deputy")
    start(world)
    assert any(title.startswith("〔代") for title in told(world, "deputy"))
    revoke(world.env, world.actor("deputy"), substitution_id=made, key=world.key())
    assert not any(title.startswith("〔代") for title in told(world, "deputy"))
    assert any(title.startswith("待办：") for title in told(world, "clerk"))
    before = told(world, "deputy")
    start(world, number="试〔2026〕2号")
    assert told(world, "deputy") == before


def test_a_post_that_changes_hands_takes_no_substitute_with_it(world: World) -> None:
    """Neither of the two posts: what was agreed was between two persons."""
    start(world)
    for changed in ("deputy", "clerk"):
        made = arrange(world, "clerk", "deputy")
        assert len(waits(world, "deputy")) == 1
        held = _appointments.c.post_id == world.posts[changed]
        give = update(_appointments).where(held)
        for person, count in (("outsider", 0), (changed, 1)):
            given = give.values(person_id=world.people[person])
            world.do(lambda work, given=given: {"n": work.db.execute(given).rowcount})
            assert len(waits(world, "deputy")) == count
        revoke(world.env, world.actor("clerk"), substitution_id=made, key=world.key())


@pytest.mark.parametrize("actor", ["secretary", "outsider", "inspection_head"])
def test_nobody_arranges_or_revokes_for_a_post_that_is_not_theirs(world: World, actor: str) -> None:
    with pytest.raises(NotFound):
        arrange(world, "clerk", "deputy", actor)
    made = arrange(world, "clerk", "deputy")
    with pytest.raises(NotFound):
        revoke(world.env, world.actor(actor), substitution_id=made, key=world.key())
    with pytest.raises(NotFound):
        revoke(world.env, world.actor(actor), substitution_id=made + 9, key=world.key())


def test_an_operator_above_arranges_and_revokes_it_and_reads_no_matter(world: World) -> None:
    start(world)
    with reading(world.env.engine) as db:
        operator = who(world, db, "operator")
        known = frozenset({parts.NAME})
        seen = preview(db, operator, terms(world, "clerk", "deputy"), world.env.clock(), known)
        own = who(world, db, "clerk")
        mine = preview(db, own, terms(world, "clerk", "deputy"), world.env.clock(), known)
    assert (seen.count, seen.items, seen.hindrance) == (1, (), "")
    assert (mine.count, len(mine.items)) == (1, 1)
    made = arrange(world, "clerk", "deputy", "operator")
    assert len(waits(world, "deputy")) == 1
    with reading(world.env.engine) as db:
        below = Substitutions(who(world, db, "operator"), below=True)
        lines = below.lines(db)
        assert (len(lines), below.count(db)) == (1, 1)
        assert lines[0].made_by == "滨河区委系统运维员"
    revoke(world.env, world.actor("operator"), substitution_id=made, key=world.key())
    with pytest.raises(AlreadyEnded):
        revoke(world.env, world.actor("clerk"), substitution_id=made, key=world.key())


def test_an_operator_stands_in_for_nobody_who_decides(world: World) -> None:
    with pytest.raises(Invalid):
        arrange(world, "district_member", "operator")
    with pytest.raises(Invalid):
        arrange(world, "operator", "district_member")


def test_a_post_that_nobody_holds_stands_in_for_nobody(world: World) -> None:
    leave(world, "deputy")
    with pytest.raises(Invalid, match="缺位"):
        arrange(world, "clerk", "deputy")
    leave(world, "clerk")
    with pytest.raises(Invalid, match="缺位"):
        arrange(world, "clerk", "secretary", "operator")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"until_on": TODAY - timedelta(days=1)}, "backwards"),
        ({"starts_on": TODAY - timedelta(days=1)}, "past"),
        ({"until_on": TODAY + timedelta(days=400)}, "too_long"),
        ({"until_on": date.max}, "too_long"),
    ],
)
def test_days_that_cannot_be_are_refused(world: World, given: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotStandIn) as refused:
        arrange(world, "clerk", "deputy", **given)
    assert refused.value.details["why"] == why


def test_it_goes_one_step_only_and_a_post_has_one_substitute(world: World) -> None:
    def refused(post: str, by: str, **given: Any) -> str:
        with pytest.raises(CannotStandIn) as error:
            arrange(world, post, by, **given)
        return str(error.value.details["why"])

    arrange(world, "clerk", "deputy")
    assert refused("clerk", "secretary") == "taken"
    assert refused("deputy", "secretary") == "stands_in"
    assert refused("secretary", "clerk") == "away"
    after: Any = {"starts_on": FRIDAY + timedelta(days=1), "until_on": FRIDAY + timedelta(days=3)}
    arrange(world, "deputy", "secretary", **after)


def test_nobody_stands_in_for_themselves_by_another_post(world: World) -> None:
    gone = update(_appointments).where(_appointments.c.post_id == world.posts["deputy"])
    clerk = world.people["clerk"]
    world.do(lambda work: {"n": work.db.execute(gone.values(person_id=clerk)).rowcount})
    with pytest.raises(CannotStandIn, match="本人"):
        arrange(world, "clerk", "deputy")


def test_a_reason_is_needed_and_the_same_request_is_one_substitution(world: World) -> None:
    given: Any = {"terms": terms(world, "clerk", "deputy"), "key": "once-and-again"}
    for reason in ("", "理" * 201, "身份证 11010519491231002X"):
        with pytest.raises(Invalid):
            make(world.env, world.actor("clerk"), reason=reason, **given)
    first = make(world.env, world.actor("clerk"), reason="休假", **given)
    assert make(world.env, world.actor("clerk"), reason="休假", **given) == first
    with pytest.raises(KeyReused):
        make(world.env, world.actor("clerk"), reason="出差", **given)
