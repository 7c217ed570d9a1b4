"""An organisation's workbook comes in by two steps, all or nothing, and goes back as a whole."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from documents.organisation_file import CHARGES, POSTS, RELATIONS, SHEETS, TERMS, UNITS
from models.account import Account
from models.audit import Audit
from models.base import table
from models.batch import Batch, BatchLine, LineAct
from models.organisation import (
    Appointment,
    FormerOrganisation,
    Organisation,
    Person,
    Post,
    RelationKind,
)
from policy.batch import BatchState
from services.batches.page import batch_head, batch_lines, hindrances, recent
from services.batches.staging import (
    STREAM,
    AlreadySettled,
    DifferenceChanged,
    confirm,
    drop,
    stage,
)
from services.batches.undoing import Depended, undo
from services.command import SYSTEM, Actor
from services.env import Env
from services.errors import NotFound
from services.faulty import Faulty
from services.organisation import NotOperator, organisation_id
from services.posts import leader_in_charge, organ
from services.scope import standing
from services.whose import Whose
from tests.founded import person_of
from tests.organisation_books import (
    BUREAU,
    DAY,
    LATER,
    book,
    bring_in,
    contents,
    fingerprint_of,
    key,
    only,
    small_tree,
    with_rows,
)
from tests.sheets import Rows, workbook

_accounts, _appointments, _audit = table(Account), table(Appointment), table(Audit)
_batches, _lines, _people = table(Batch), table(BatchLine), table(Person)
_former, _organisations, _posts = table(FormerOrganisation), table(Organisation), table(Post)


@pytest.fixture(autouse=True)
def tree(env: Env) -> None:
    small_tree(env)


def lines(engine: Engine, batch: int) -> list[tuple[Any, ...]]:
    """Sheet, row, act and what of each line."""
    query = select(_lines.c.sheet, _lines.c.row_number, _lines.c.act, _lines.c.what)
    with engine.connect() as db:
        rows = db.execute(query.where(_lines.c.batch_id == batch).order_by(_lines.c.n))
        return [tuple(row) for row in rows]


def head(engine: Engine, batch: int) -> Any:
    with engine.connect() as db:
        return db.execute(select(_batches).where(_batches.c.id == batch)).one()


def faults(env: Env, data: bytes, actor: Actor = SYSTEM) -> list[str]:
    """Everything that is wrong with a file that is refused."""
    before = contents(env.engine)
    with pytest.raises(Faulty) as refused:
        stage(env, actor, data=data, filename="组织.xlsx", key=key())
    assert contents(env.engine) == before
    with env.engine.connect() as db:
        assert db.execute(select(_batches.c.id)).all() == []
    return [str(fault) for fault in refused.value.faults]


def test_staging_writes_nothing_of_the_organisation_and_shows_every_row(
    env: Env, engine: Engine
) -> None:
    before = contents(engine)
    batch = stage(env, SYSTEM, data=book(BUREAU), filename="组织.xlsx", key=key())
    assert contents(engine) == before
    shown = lines(engine, batch)
    assert len(shown) == sum(len(rows) for rows in BUREAU.values())
    assert {act for _, _, act, _ in shown} == {LineAct.NEW}
    assert (UNITS, 2, LineAct.NEW, "滨河区城管局党组（B1）") in shown
    assert (TERMS, 4, LineAct.NEW, "滨河区城管局办公室主任　乙") in shown
    assert (CHARGES, 3, LineAct.NEW, "滨河区城管局党组副书记　分管政治生态") in shown
    said = (RELATIONS, 2, LineAct.NEW, "驻城管局纪检组　是滨河区城管局党组的纪检机构")
    assert said in shown


def test_what_was_confirmed_is_there_and_routed_by(env: Env, engine: Engine) -> None:
    batch = bring_in(env, book(BUREAU))
    with engine.connect() as db:
        bureau, office = organisation_id(db, "B1"), organisation_id(db, "B1.dept")
        stationed, above = organisation_id(db, "B1.dc"), organisation_id(db, "3199")
        assert bureau
        assert office
        path = select(_organisations.c.path).where(_organisations.c.id == office)
        assert str(db.execute(path).scalar()).endswith(f"/{above}/{bureau}/{office}/")
        for one in (bureau, office):
            assert organ(db, one, RelationKind.DISCIPLINE, DAY) == stationed
            assert Whose(db, DAY).organ(one, RelationKind.DISCIPLINE) == stationed
        deputy = select(_posts.c.id).where(
            _posts.c.organisation_id == bureau, _posts.c.title == "副书记"
        )
        assert leader_in_charge(db, office, None, DAY) == db.execute(deputy).scalar()
        people = db.execute(select(_people.c.name, _people.c.code).where(_people.c.name == "乙"))
        assert [tuple(row) for row in people] == [("乙", "N-2")]
        bodies = db.execute(select(_audit.c.body).where(_audit.c.stream == STREAM))
        assert [
            f'"act":"batch_{act}"' in body
            for act, body in zip(("staged", "applied"), list(bodies.scalars())[-2:], strict=True)
        ] == [True, True]
    assert head(engine, batch).state is BatchState.APPLIED
    assert head(engine, batch).data is None


def test_what_no_database_keeps_in_a_title_is_shown_and_no_error(env: Env, engine: Engine) -> None:
    header = [column.name for column in SHEETS[UNITS]]
    rows = [
        ["组织\x00架构\x01"],
        header,
        ["U1", "滨河区委信息办", "", "区", "工作机关", "3199"],
    ]
    batch = bring_in(env, workbook({UNITS: rows}))
    assert any("“组织�架构�”" in said for said in head(engine, batch).said["changes"])


def test_the_same_file_again_changes_nothing(env: Env, engine: Engine) -> None:
    bring_in(env, book(BUREAU))
    before = contents(engine)
    batch = bring_in(env, book(BUREAU))
    assert {act for _, _, act, _ in lines(engine, batch)} == {LineAct.UNCHANGED}
    assert contents(engine) == before


CHANGES: dict[str, Rows] = {
    UNITS: [["B1", "滨河区城市管理局党组", "", "区", "党组", ""]],
    POSTS: [["B1", "副书记", "班子成员", 3]],
    TERMS: [
        ["B1", "书记", "甲", "", DAY, LATER],
        ["B1", "书记", "丁", "", LATER, ""],
        ["B1.dept", "主任", "乙", "N-2", DAY, ""],
    ],
    CHARGES: [["B1", "副书记", "", "政治生态", DAY, LATER]],
    RELATIONS: [["滨河区纪委", "上级纪检机构", "B1.dc", DAY, LATER]],
}


def test_changes_and_ends_are_shown_from_and_to_and_are_taken_back(
    env: Env, engine: Engine
) -> None:
    bring_in(env, book(BUREAU))
    before = contents(engine)
    batch = bring_in(env, book(CHANGES))
    with engine.connect() as db:
        query = select(_lines.c.act, _lines.c.fields).where(_lines.c.batch_id == batch)
        shown = [tuple(row) for row in db.execute(query.order_by(_lines.c.n))]
        former = db.execute(select(_former.c.name, _former.c.ends_on)).all()
    old, new = "滨河区城管局党组", "滨河区城市管理局党组"
    assert shown == [
        (LineAct.CHANGED, [["名称", old, new], ["简称", old, new]]),
        (LineAct.CHANGED, [["排序", "2", "3"]]),
        (LineAct.ENDED, [["免职日期", "", "2027-03-01"]]),
        (LineAct.NEW, [["人员", "", "丁"], ["任职日期", "", "2027-03-01"]]),
        (LineAct.CHANGED, [["免职日期", "2027-03-01", ""]]),
        (LineAct.ENDED, [["终止日期", "", "2027-03-01"]]),
        (LineAct.ENDED, [["终止日期", "", "2027-03-01"]]),
    ]
    assert [tuple(row) for row in former] == [(old, date(2026, 11, 30))]
    undo(env, SYSTEM, batch_id=batch, key=key())
    assert contents(engine) == before
    assert head(engine, batch).state is BatchState.UNDONE


def test_an_import_is_taken_back_as_a_whole_and_once(env: Env, engine: Engine) -> None:
    before = contents(engine)
    batch = bring_in(env, book(BUREAU))
    again = key()
    undo(env, SYSTEM, batch_id=batch, key=again)
    undo(env, SYSTEM, batch_id=batch, key=again)
    assert contents(engine) == before
    for act in (undo, drop):
        with pytest.raises(AlreadySettled):
            act(env, SYSTEM, batch_id=batch, key=key())


def test_what_depends_on_an_import_keeps_it_and_is_named(env: Env, engine: Engine) -> None:
    batch = bring_in(env, book(BUREAU))
    later = bring_in(env, only(UNITS, ["B1.x", "滨河区城管局信息科", "", "区", "工作机关", "B1"]))
    with engine.begin() as db:
        person = db.execute(select(_people.c.id).where(_people.c.name == "甲")).scalar()
        account = {"login": "b1", "person_id": person, "disabled": False}
        db.execute(insert(_accounts), account)
        db.execute(
            update(_appointments).where(_appointments.c.person_id == person).values(ends_on=LATER)
        )
    before = contents(engine)
    with pytest.raises(Depended) as refused:
        undo(env, SYSTEM, batch_id=batch, key=key())
    assert refused.value.message == (
        "这次导入的内容已被使用或者又有改动，不能撤销：1 个任职在导入之后又有改动；"
        "1 个下级组织与导入的内容有关；1 个账号与导入的内容有关。"
    )
    assert contents(engine) == before
    assert head(engine, batch).state is BatchState.APPLIED
    undo(env, SYSTEM, batch_id=later, key=key())


def test_confirming_writes_only_the_difference_that_was_shown(env: Env, engine: Engine) -> None:
    bring_in(env, book(BUREAU))
    ends = only(TERMS, ["B1", "书记", "甲", "", DAY, LATER])
    batch = stage(env, SYSTEM, data=ends, filename="任职.xlsx", key=key())
    shown = fingerprint_of(engine, batch)
    ended = _appointments.c.ends_on.is_(None), _appointments.c.starts_on == DAY
    with engine.begin() as db:
        moved = DAY + timedelta(days=9)
        db.execute(update(_appointments).where(*ended).values(ends_on=moved))
    before = contents(engine)
    again = key()
    for _ in range(2):
        with pytest.raises(DifferenceChanged):
            confirm(env, SYSTEM, batch_id=batch, fingerprint=shown, key=again)
    assert contents(engine) == before
    assert [act for _, _, act, _ in lines(engine, batch)] == [LineAct.CHANGED]
    new = fingerprint_of(engine, batch)
    assert new != shown
    with pytest.raises(DifferenceChanged):
        confirm(env, SYSTEM, batch_id=batch, fingerprint=shown, key=key())
    confirm(env, SYSTEM, batch_id=batch, fingerprint=new, key=key())
    assert contents(engine) != before
    with pytest.raises(AlreadySettled):
        confirm(env, SYSTEM, batch_id=batch, fingerprint=new, key=key())


def test_a_file_that_has_become_wrong_is_refused_when_it_is_confirmed(
    env: Env, engine: Engine
) -> None:
    bring_in(env, book(BUREAU))
    data = only(TERMS, ["B1.dept", "主任", "戊", "", LATER, ""])
    batch = stage(env, SYSTEM, data=data, filename="任职.xlsx", key=key())
    with engine.begin() as db:
        db.execute(
            update(_appointments).where(_appointments.c.ends_on == LATER).values(ends_on=None)
        )
    fingerprint = fingerprint_of(engine, batch)
    with pytest.raises(Faulty, match="同一时间只能有一人任职"):
        confirm(env, SYSTEM, batch_id=batch, fingerprint=fingerprint, key=key())
    assert head(engine, batch).state is BatchState.STAGED


def test_the_next_file_of_a_person_drops_the_one_before(env: Env, engine: Engine) -> None:
    first = stage(env, SYSTEM, data=book(BUREAU), filename="1.xlsx", key=key())
    operator = person_of(engine, "3199.operator")
    other = stage(env, operator, data=book(BUREAU), filename="2.xlsx", key=key())
    second = stage(env, SYSTEM, data=book(BUREAU), filename="3.xlsx", key=key())
    states = [head(engine, batch).state for batch in (first, other, second)]
    assert states == [BatchState.DROPPED, BatchState.STAGED, BatchState.STAGED]
    assert head(engine, first).data is None
    assert lines(engine, first) == []
    drop(env, operator, batch_id=other, key=key())
    with pytest.raises(AlreadySettled):
        confirm(env, operator, batch_id=other, fingerprint="", key=key())


def test_gaps_that_an_import_leaves_are_named(env: Env, engine: Engine) -> None:
    few = BUREAU | {TERMS: BUREAU[TERMS][1:3], RELATIONS: []}
    batch = bring_in(env, book({name: rows for name, rows in few.items() if rows}))
    said = head(engine, batch).said
    assert said["gap_count"] == len(said["gaps"])
    assert set(said["gaps"]) == {
        "滨河区城管局党组没有派驻机构",
        "滨河区城管局党组书记无人任职，上级是滨河区委书记",
        "驻城管局纪检组组长无人任职；驻城管局纪检组组长之上：滨河区城管局党组书记无人任职",
    }


def test_an_operator_imports_for_what_stands_below(env: Env, engine: Engine) -> None:
    operator = person_of(engine, "3199.operator")
    batch = bring_in(env, book(BUREAU), operator)
    for login, sees in (("3199.operator", True), ("31.operator", True), ("3198.operator", False)):
        check_sight(engine, person_of(engine, login).person_id, batch, sees=sees)
    for login in ("3198.operator", "3199.secretary"):
        other = person_of(engine, login)
        with pytest.raises(NotFound):
            undo(env, other, batch_id=batch, key=key())
        with pytest.raises(NotFound):
            confirm(env, other, batch_id=batch, fingerprint="", key=key())
    undo(env, person_of(engine, "31.operator"), batch_id=batch, key=key())


def check_sight(engine: Engine, person: int | None, batch: int, *, sees: bool) -> None:
    assert person is not None
    with engine.connect() as db:
        who = standing(db, person, DAY)
        assert [one.id for one in recent(db, who)] == ([batch] if sees else [])
        if sees:
            assert batch_head(db, who, batch).total("new") == 15
            assert len(batch_lines(db, who, batch, sheet=TERMS, act="new")) == 4
            assert hindrances(db, who, batch) == []
            return
        for ask in (batch_head, batch_lines, hindrances):
            with pytest.raises(NotFound):
                ask(db, who, batch)


def test_whoever_is_no_operator_imports_nothing(env: Env, engine: Engine) -> None:
    for login in ("3199.secretary", "3199A.clerk"):
        with pytest.raises(NotOperator):
            stage(env, person_of(engine, login), data=book(BUREAU), filename="x", key=key())


def test_what_stands_elsewhere_answers_like_what_is_not_there(env: Env, engine: Engine) -> None:
    operator = person_of(engine, "3199.operator")
    rows = [["3198", "副书记", "某", "", DAY, ""], ["4444", "副书记", "某", "", DAY, ""]]
    found = faults(env, only(TERMS, *rows), operator)
    assert [one.split("，相近")[0] for one in found] == [
        "“任职”第 2 行“组织”：没有“3198”这个组织",
        "“任职”第 3 行“组织”：没有“4444”这个组织",
    ]
    assert "滨江" not in "".join(found)
    assert "，相近的有：“3199”、" in found[0]  # a code is meant, not a name
    root = only(UNITS, ["Z", "某市委", "", "市", "党委", ""])
    assert faults(env, root, operator) == [
        "“组织”第 2 行“上级”：新的组织应有上级，并且在您的组织之下"
    ]


def test_nobody_appoints_themselves(env: Env, engine: Engine) -> None:
    operator = person_of(engine, "3199.operator")
    own = only(TERMS, ["3199", "书记", "滨河区委系统运维员", "", DAY, LATER])
    assert "“任职”第 2 行“人员”：不能为自己办理任职，请由上级的系统运维员导入" in faults(
        env, own, operator
    )
    post = only(POSTS, ["3199", "系统运维员", "书记", 91])
    assert faults(env, post, operator) == [
        "“职务”第 2 行“职务名称”：不能变更本人所任的职务，请由上级的系统运维员导入"
    ]
    assert stage(env, person_of(engine, "31.operator"), data=post, filename="a.xlsx", key=key())


def test_a_person_of_the_same_name_elsewhere_is_another_until_a_number_says_so(
    env: Env, engine: Engine
) -> None:
    bring_in(env, with_rows(TERMS))
    bring_in(env, only(TERMS, ["B1.dept", "主任", "甲", "", LATER, ""]))
    numbered = [["B1", "书记", "甲", "N-1", DAY, ""], ["B1.dc", "组长", "丙", "N-3", DAY, ""]]
    batch = bring_in(env, only(TERMS, *numbered))
    assert [line[2] for line in lines(engine, batch)] == [LineAct.CHANGED, LineAct.CHANGED]
    with engine.connect() as db:
        query = select(_people.c.name, _people.c.code).where(_people.c.name.in_(("甲", "丙")))
        people = [tuple(row) for row in db.execute(query.order_by(_people.c.id))]
    assert people == [("甲", "N-1"), ("丙", "N-3"), ("甲", None)]
