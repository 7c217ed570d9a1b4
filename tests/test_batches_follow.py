"""What an import or its undoing changes of who holds a post takes effect at once, and never puts
two beside each other."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, func, insert, select, text, update

from documents.organisation_file import CHARGES, POSTS, RELATIONS, TERMS
from models.account import Administrator
from models.base import metadata, table
from models.organisation import (
    Appointment,
    Organisation,
    Person,
    Portfolio,
    Post,
    Relation,
    RelationKind,
)
from models.vacancy import Handover
from policy.administration import AdministratorRole
from services.appointing import appoint
from services.batches.undoing import TABLE_NAMES, Depended, in_the_way, undo
from services.batches.writing import ORDER
from services.command import SYSTEM
from services.env import Env
from services.posting import abolish_post, abolition, lock_posts
from tests.organisation_books import (
    BUREAU,
    DAY,
    LATER,
    book,
    bring_in,
    contents,
    key,
    only,
    small_tree,
)
from tests.parts_case import start
from tests.vacancy_scene import gone, holds, settle, today, town, vacant
from tests.world import Clock, World

_appointments, _people, _posts = table(Appointment), table(Person), table(Post)
_organisations = table(Organisation)
_portfolios, _relations = table(Portfolio), table(Relation)


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    """People whose names a workbook may hold."""
    for world in town(engine, Clock()):
        with engine.begin() as db:
            db.execute(update(_people).values(name=func.replace(_people.c.name, " ", "")))
        yield world


def row_of(world: World, post: str, person: str) -> list[object]:
    """Unit, title, name and number: somebody of the cast in a post, as the sheet 任职 says it."""
    of_post = select(_organisations.c.code, _posts.c.title).join(
        _posts, _posts.c.organisation_id == _organisations.c.id
    )
    named = select(_people.c.name).where(_people.c.id == world.people[person])
    with world.env.engine.connect() as db:
        unit, title = db.execute(of_post.where(_posts.c.id == world.posts[post])).one()
        return [unit, title, db.execute(named).scalar_one(), ""]


def begun(world: World, post: str) -> date:
    query = select(_appointments.c.starts_on).where(_appointments.c.post_id == world.posts[post])
    with world.env.engine.connect() as db:
        return date.fromisoformat(str(db.execute(query).scalar_one()))


def lists(world: World) -> int:
    with world.env.engine.connect() as db:
        return db.execute(select(func.count()).select_from(table(Handover))).scalar_one()


def test_a_post_that_an_import_empties_is_vacant_at_once_and_not_after_its_undoing(
    world: World,
) -> None:
    start(world)
    ends = [*row_of(world, "clerk", "clerk"), begun(world, "clerk"), today(world)]
    batch = bring_in(world.env, only(TERMS, ends))
    assert vacant(world) == ["clerk"]
    settle(world)
    undo(world.env, SYSTEM, batch_id=batch, key=key())
    settle(world)
    assert (vacant(world), lists(world)) == ([], 1)
    world.answer("draft")
    holds(world)


def test_who_takes_over_by_an_import_is_handed_what_is_open(world: World) -> None:
    start(world)
    ends = [*row_of(world, "clerk", "clerk"), begun(world, "clerk"), today(world)]
    begins = [*row_of(world, "clerk", "deputy"), today(world), ""]
    begins[2] = "接任者"
    bring_in(world.env, only(TERMS, ends, begins))
    assert (vacant(world), lists(world)) == ([], 1)
    holds(world)


def test_a_post_that_an_undo_empties_is_vacant_at_once(world: World) -> None:
    gone(world, "clerk")
    stays = [*row_of(world, "clerk", "clerk"), begun(world, "clerk"), ""]
    batch = bring_in(world.env, only(TERMS, stays))
    start(world)
    assert vacant(world) == []
    undo(world.env, SYSTEM, batch_id=batch, key=key())
    assert vacant(world) == ["clerk"]
    settle(world)
    holds(world)


def test_an_import_by_which_somebody_was_asked_is_not_taken_back(world: World) -> None:
    gone(world, "clerk")
    begins = [*row_of(world, "clerk", "deputy"), today(world), ""]
    batch = bring_in(world.env, only(TERMS, begins))
    start(world)
    before = contents(world.env.engine)
    with pytest.raises(Depended, match="“梧桐路街道党工委联络员”的待办已通知“.*”办理"):
        undo(world.env, SYSTEM, batch_id=batch, key=key())
    assert contents(world.env.engine) == before
    holds(world)


def refused(env: Env, batch: int) -> str:
    """Why a batch is not taken back, as the page says it before too; nothing is changed."""
    before = contents(env.engine)
    with env.engine.connect() as db:
        said = in_the_way(db, batch)
    with pytest.raises(Depended) as found:
        undo(env, SYSTEM, batch_id=batch, key=key())
    assert contents(env.engine) == before
    assert said
    assert all(one in found.value.message for one in said)
    return found.value.message


def bureau_post(env: Env, title: str) -> int:
    unit = select(_organisations.c.id).where(_organisations.c.code == "B1").scalar_subquery()
    with env.engine.connect() as db:
        mine = _posts.c.organisation_id == unit, _posts.c.title == title
        return int(db.execute(select(_posts.c.id).where(*mine)).scalar_one())


def abolish(env: Env, title: str, successor: str) -> None:
    gone, heir = bureau_post(env, title), bureau_post(env, successor)
    with env.engine.connect() as db:
        seen = abolition(db, None, gone, heir, date(2026, 11, 30)).moves.fingerprint
    abolish_post(env, SYSTEM, post_id=gone, successor_id=heir, seen=seen, key=key())


def test_an_undo_puts_nobody_beside_whom_was_appointed_meanwhile(env: Env) -> None:
    small_tree(env)
    bring_in(env, book(BUREAU))
    batch = bring_in(env, only(TERMS, ["B1", "书记", "甲", "", DAY, LATER]))
    post = bureau_post(env, "书记")
    appoint(env, SYSTEM, post_id=post, starts_on=LATER, name="戊", key=key())
    said = refused(env, batch)
    assert "“滨河区城管局党组书记”自 2027-03-01 起由“戊”任职，与要恢复的“甲”的任职重叠" in said


def test_an_undo_gives_back_no_abolished_post(env: Env) -> None:
    small_tree(env)
    bring_in(env, book(BUREAU))
    ended = date(2026, 11, 30) - timedelta(days=2)
    with env.engine.begin() as db:
        db.execute(update(_appointments).values(starts_on=ended - timedelta(days=9)))
    batch = bring_in(env, only(TERMS, ["B1", "书记", "甲", "", ended - timedelta(days=9), ended]))
    abolish(env, "书记", "副书记")
    assert "“滨河区城管局党组书记”已经撤销，不能恢复“甲”的任职" in refused(env, batch)


def test_a_new_post_that_was_abolished_meanwhile_keeps_its_import(env: Env) -> None:
    small_tree(env)
    bring_in(env, book(BUREAU))
    batch = bring_in(env, only(POSTS, ["B1", "科员", "联络员", 9]))
    abolish(env, "科员", "副书记")
    assert "1 个职务在导入之后又有改动" in refused(env, batch)


def test_an_undo_brings_back_no_second_charge_organ_or_lead(env: Env) -> None:
    small_tree(env)
    bring_in(env, book(BUREAU))
    ends = {
        CHARGES: [["B1", "副书记", "", "政治生态", DAY, LATER]],
        RELATIONS: [["B1.dc", "纪检机构", "B1", DAY, LATER]],
        POSTS: [["B1", "书记", "书记", 3]],
    }
    batch = bring_in(env, book(ends))
    with env.engine.begin() as db:
        charge = db.execute(select(_portfolios).where(_portfolios.c.ends_on == LATER)).one()
        values = {"post_id": charge.post_id, "unit_id": None, "area": charge.area}
        db.execute(insert(_portfolios), values | {"starts_on": LATER})
        tie = db.execute(select(_relations).where(_relations.c.ends_on == LATER)).one()
        other = {"kind": RelationKind.DISCIPLINE, "organ_id": tie.organ_id}
        db.execute(insert(_relations), other | {"served_id": tie.served_id, "starts_on": LATER})
        lead = {"organisation_id": tie.served_id, "kind": "secretary", "title": "第一书记"}
        db.execute(insert(_posts), lead | {"rank": 0})
    said = refused(env, batch)
    for one in (
        "“滨河区城管局党组副书记”自 2027-03-01 起另有同一分管",
        "“滨河区城管局党组”自 2027-03-01 起的纪检机构是“驻城管局纪检组”",
        "“滨河区城管局党组”现在的主要负责人职务是“第一书记”，不能恢复为“书记”",
    ):
        assert one in said, said


def test_an_undo_gives_no_administrator_a_post_for_longer(env: Env) -> None:
    """三员 hold no post: a term comes back as it was only if it was no longer than it is now."""
    small_tree(env)
    bring_in(env, book(BUREAU))
    ends = bring_in(env, only(TERMS, ["B1", "书记", "甲", "", DAY, LATER]))
    lasts = bring_in(env, only(TERMS, ["B1", "书记", "甲", "", DAY, LATER + timedelta(days=9)]))
    with env.engine.begin() as db:
        person = db.execute(select(_people.c.id).where(_people.c.name == "甲")).scalar_one()
        unit = db.execute(select(_organisations.c.id).where(_organisations.c.code == "B1")).scalar()
        role = {"person_id": person, "organisation_id": unit, "role": AdministratorRole.AUDIT}
        db.execute(insert(table(Administrator)), role | {"begun_at": env.clock()})
    undo(env, SYSTEM, batch_id=lasts, key=key())
    assert "“甲”现在是管理员，不担任职务，不能恢复为“滨河区城管局党组书记”" in refused(env, ends)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_import_locks_posts_in_the_order_of_their_ids(env: Env, engine: Engine) -> None:
    """Whatever their ranks: whoever abolishes or merges does so too, and nobody waits in a ring.

    On SQLite writers take turns, and no row is locked.
    """
    small_tree(env)
    swapped = BUREAU[POSTS][1::-1] + BUREAU[POSTS][2:]
    bring_in(env, book(BUREAU | {POSTS: swapped}))
    low, high = bureau_post(env, "副书记"), bureau_post(env, "书记")
    assert low < high
    data = only(TERMS, ["B1", "书记", "甲", "", DAY, LATER])
    waits = text(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    with ThreadPoolExecutor(1) as others:
        with engine.begin() as db:
            lock_posts(db, [low])
            batch = others.submit(bring_in, env, data)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
                assert any(watching.execute(waits).first() for _ in range(20_000))
            wanted = select(_posts.c.id).where(_posts.c.id == high)
            assert db.execute(wanted.with_for_update(nowait=True)).scalar_one() == high
        assert batch.result()


def test_whatever_may_stand_in_the_way_of_an_undo_has_a_name_for_people() -> None:
    tables = metadata.tables
    refer = (
        other.name
        for other in metadata.sorted_tables
        for key in other.foreign_keys
        if key.column.table in {tables[name] for name in ORDER}
    )
    assert {name for name in refer if not name.startswith("batch")} <= TABLE_NAMES.keys()
