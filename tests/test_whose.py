"""Whose something is, always answered: as :mod:`services.posts` finds it, or by a named gap."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, insert, select, update

from deployments.demo import DISTRICT, TOWN, found_tree
from deployments.generating import DEMO, Generated, generate
from models.base import table
from models.organisation import (
    Appointment,
    Level,
    Organisation,
    OrganisationKind,
    Portfolio,
    Post,
    PostKind,
    Relation,
    RelationKind,
)
from policy.subjects import SUBJECTS, Subject
from services import posts
from services.command import SYSTEM
from services.database import open_engine
from services.env import Env
from services.organisation import organisation_id
from services.posts import Holder
from services.whose import Gap, GapKind, Seat, Superior, Whose
from tests.conftest import SettableClock
from tests.world import lay_out

ON = date(2026, 11, 30)
VILLAGE = f"{TOWN}001"
_appointments, _organisations = table(Appointment), table(Organisation)
_portfolios, _posts, _relations = table(Portfolio), table(Post), table(Relation)


@pytest.fixture
def db(env: Env, engine: Engine) -> Iterator[Connection]:
    found_tree(env, SYSTEM, ON)
    with engine.connect() as connection:
        yield connection


def unit(db: Connection, code: str) -> int:
    found = organisation_id(db, code)
    assert found is not None
    return found


def post(db: Connection, code: str, title: str) -> int:
    found = posts.post_by_title(db, unit(db, code), title)
    assert found is not None, (code, title)
    return found


def some(db: Connection, of: Any, every: int) -> list[int]:
    return list(db.execute(select(of.c.id).where(of.c.id % every == 0)).scalars())


def old_superior(db: Connection, post_id: int) -> tuple[int | None, int]:
    """By the functions that are there: the post, and how many were passed."""
    own = posts.holder(db, post_id, ON)
    route = posts.superiors(db, post_id, ON)
    held = posts.holders(db, route, ON)
    for passed, above in enumerate(route):
        if above in held and (own is None or held[above].person_id != own.person_id):
            return above, passed
    return None, len(route)


def check_all(db: Connection, organisations: list[int], post_ids: list[int]) -> None:
    """For all at once, and one by one, as the functions that are there answer."""
    many, none = Whose(db, ON), Whose(db, ON)
    many.know(organisations, post_ids)
    for whose in (many, none):
        for one in organisations:
            check_unit(whose, db, one)
        for one in post_ids:
            held = posts.holder(db, one, ON)
            found = whose.who(one)
            assert found == held if held else isinstance(found, Gap)
            above = whose.superior(one)
            expected, passed = old_superior(db, one)
            if expected is None:
                assert isinstance(above, Gap)
            else:
                assert isinstance(above, Superior)
                assert (above.seat.post_id, len(above.passed)) == (expected, passed)


def check_unit(whose: Whose, db: Connection, one: int) -> None:
    for area in (None, 3):
        expected = posts.leader_in_charge(db, one, area, ON)
        found = whose.leader_in_charge(one, area)
        assert isinstance(found, Gap if expected is None else Seat)
        assert isinstance(found, Gap) or found.post_id == expected
    for kind in RelationKind:
        check_organ(whose, db, one, kind)


def check_organ(whose: Whose, db: Connection, one: int, kind: RelationKind) -> None:
    organ = whose.organ(one, kind)
    if isinstance(organ, Gap):
        with pytest.raises(LookupError, match=f"^{organ.words}$"):
            posts.organ(db, one, kind, ON)
    else:
        assert organ == posts.organ(db, one, kind, ON)


def test_the_answers_are_those_of_the_functions_that_are_there(db: Connection) -> None:
    check_all(db, some(db, _organisations, 23), some(db, _posts, 31))


def test_a_vacancy_is_named_by_unit_and_title(db: Connection) -> None:
    secretary, deputy = post(db, TOWN, "书记"), post(db, TOWN, "副书记")
    assert isinstance(Whose(db, ON).who(secretary), Holder)
    held = _appointments.c.post_id == secretary
    db.execute(update(_appointments).where(held).values(ends_on=ON + timedelta(days=5)))
    assert isinstance(Whose(db, ON + timedelta(days=4)).who(secretary), Holder)
    gap = Whose(db, ON + timedelta(days=5)).who(secretary)
    assert gap == Gap(GapKind.VACANT, "梧桐路街道党工委书记无人任职", unit(db, TOWN), secretary)
    above = Whose(db, ON + timedelta(days=5)).superior(deputy)
    assert isinstance(above, Superior)
    assert above.seat.name == "区委副书记"
    assert [str(one) for one in above.passed] == ["梧桐路街道党工委书记无人任职"]


def test_who_is_missing_up_the_tree_is_said_when_nobody_is_left(db: Connection) -> None:
    first = post(db, DISTRICT, "副书记")
    held = _appointments.c.post_id.not_in((first,))
    db.execute(update(_appointments).where(held).values(ends_on=ON))
    gap = Whose(db, ON).superior(first)
    assert isinstance(gap, Gap)
    assert gap.words == "区委副书记之上：区委书记无人任职、区纪委书记无人任职"


def test_one_person_above_and_below_is_passed_over(db: Connection) -> None:
    secretary, deputy = post(db, TOWN, "书记"), post(db, TOWN, "副书记")
    own = Whose(db, ON).who(deputy)
    assert isinstance(own, Holder)
    held = _appointments.c.post_id == secretary
    db.execute(update(_appointments).where(held).values(person_id=own.person_id))
    above = Whose(db, ON).superior(deputy)
    assert isinstance(above, Superior)
    assert str(above.passed[0]) == "梧桐路街道党工委书记与梧桐路街道党工委副书记是同一人"


def test_what_is_not_there_is_a_gap_as_well(db: Connection) -> None:
    whose = Whose(db, ON)
    assert str(whose.who(987_654)) == "没有编号为 987654 的职务"
    assert str(whose.superior(987_654)) == "没有编号为 987654 的职务"
    assert str(whose.leader_in_charge(987_654)) == "没有编号为 987654 的组织"
    assert str(whose.organ(987_654, RelationKind.DISCIPLINE)) == "没有编号为 987654 的组织"
    assert whose.subjects(987_654) == {}


def party_group(db: Connection) -> tuple[int, int]:
    """A 党组 of the district with a department below it."""
    district = unit(db, DISTRICT)
    path = db.execute(
        select(_organisations.c.path).where(_organisations.c.id == district)
    ).scalar_one()
    made: list[int] = []
    for code, name, kind in (
        ("g", "区城管局党组", OrganisationKind.PARTY_GROUP),
        ("g.office", "区城管局办公室", OrganisationKind.WORKING_ORGAN),
        ("g.stationed", "驻区城管局纪检监察组", OrganisationKind.STATIONED),
    ):
        of = made[0] if made else district
        row = {"code": code, "name": name, "short_name": name, "level": "区", "kind": kind}
        values = {**row, "parent_id": of, "path": ""}
        new = db.execute(
            insert(_organisations).values(values).returning(_organisations.c.id)
        ).scalar_one()
        own = f"{path}{made[0]}/{new}/" if made else f"{path}{new}/"
        db.execute(update(_organisations).where(_organisations.c.id == new).values(path=own))
        made.append(new)
    return made[0], made[2]


def test_the_discipline_organ_of_a_party_group_is_stationed_with_it(db: Connection) -> None:
    """R6-2: the commission of the committee above is not its own."""
    group, stationed = party_group(db)
    kind = RelationKind.DISCIPLINE
    office = unit(db, "g.office")
    for one in (group, office):
        gap = Whose(db, ON).organ(one, kind)
        assert isinstance(gap, Gap)
        assert str(gap).endswith("没有派驻机构")
        with pytest.raises(LookupError, match=f"^{gap}$"):
            posts.organ(db, one, kind, ON)
    row = {"kind": kind, "served_id": group, "starts_on": ON}
    db.execute(insert(_relations), row | {"organ_id": unit(db, f"{DISTRICT}.discipline")})
    assert isinstance(Whose(db, ON).organ(group, kind), Gap)
    db.execute(update(_relations).where(_relations.c.served_id == group).values(organ_id=stationed))
    for one in (group, office):
        assert Whose(db, ON).organ(one, kind) == posts.organ(db, one, kind, ON) == stationed
    above = Whose(db, ON).organ(group, RelationKind.ORGANISATION_DEPT)
    assert above == unit(db, f"{DISTRICT}.organisation")


def test_the_four_subjects_are_found_or_named(db: Connection) -> None:
    found = Whose(db, ON).subjects(unit(db, TOWN))
    assert set(found) == set(Subject)
    seats = found[Subject.SECRETARY], found[Subject.DISCIPLINE]
    assert [one[0].name for one in seats if not isinstance(one, Gap)] == [
        "梧桐路街道党工委书记",
        "梧桐路街道纪工委书记",
    ]
    members = found[Subject.MEMBER]
    assert not isinstance(members, Gap)
    assert len(members) == 9
    assert all(one.name.startswith("梧桐路街道党工委") for one in members)
    group, stationed = party_group(db)
    row = {"kind": RelationKind.DISCIPLINE, "organ_id": stationed, "served_id": group}
    db.execute(insert(_relations), row | {"starts_on": ON})
    said = {subject: str(gap) for subject, gap in Whose(db, ON).subjects(group).items()}
    assert said == {
        Subject.COMMITTEE: "区城管局党组没有设置党组职务",
        Subject.DISCIPLINE: "驻区城管局纪检监察组没有设置主要负责人职务",
        Subject.SECRETARY: "区城管局党组没有设置党组书记职务",
        Subject.MEMBER: "区城管局党组没有设置党组成员职务",
    }
    assert Whose(db, ON).subjects(unit(db, f"{TOWN}.services")) == {}


def test_every_kind_of_party_organisation_has_its_four_subjects() -> None:
    assert set(SUBJECTS) == set(posts.COMMITTEES)
    for subjects in SUBJECTS.values():
        assert set(subjects.names) == set(Subject)
        assert set(subjects.discipline) <= set(OrganisationKind)
    assert SUBJECTS["党组"].discipline == ("派驻机构",)
    assert SUBJECTS["党委"].discipline == ("纪委",)


@contextmanager
def asking(engine: Engine) -> Iterator[list[str]]:
    said: list[str] = []

    def hear(db: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    yield said
    event.remove(engine, "before_cursor_execute", hear)


def test_thousands_are_asked_in_as_many_statements_as_one(db: Connection) -> None:
    units = list(db.execute(select(_organisations.c.id)).scalars())
    every = list(db.execute(select(_posts.c.id)).scalars())
    counts = []
    for some_units, some_posts in ((units[-1:], every[-1:]), (units, every)):
        whose = Whose(db, ON)
        with asking(db.engine) as said:
            whose.know(some_units, some_posts)
            for one in some_units:
                whose.leader_in_charge(one)
            for one in some_posts:
                whose.who(one)
                whose.superior(one)
        counts.append(len(said))
    assert len(every) > 700
    assert counts[1] <= counts[0] + 8


PARTS = ("appointment", "portfolio", "relation", "lead", "post")


@cache
def district() -> Engine:
    """One database in memory for all examples: each is rolled back."""
    engine = open_engine("sqlite://")
    lay_out(engine)
    found_tree(Env(engine, SettableClock()), SYSTEM, ON)
    return engine


@given(st.lists(st.tuples(st.sampled_from(PARTS), st.integers(2, 7)), max_size=4))
@settings(max_examples=10)
def test_whatever_is_missing_everything_is_answered(missing: list[tuple[str, int]]) -> None:
    """Every n-th appointment, charge or relation ended, lead demoted, post abolished."""
    with district().connect() as db:
        for part, n in missing:
            take(db, part, n)
        check_all(db, some(db, _organisations, 53), some(db, _posts, 151))
        db.rollback()


def take(db: Connection, part: str, n: int) -> None:
    dated = {"appointment": _appointments, "portfolio": _portfolios, "relation": _relations}
    if part in dated:
        of = dated[part]
        db.execute(update(of).where(of.c.id % n == 0).values(ends_on=ON))
    elif part == "lead":
        leads = _posts.c.rank == 0
        db.execute(update(_posts).where(leads, _posts.c.id % n == 0).values(rank=5))
    else:
        some_posts = _posts.c.kind != PostKind.OPERATOR
        first = select(_posts.c.id).order_by(_posts.c.id).limit(1).scalar_subquery()
        db.execute(
            update(_posts).where(some_posts, _posts.c.id % n == 0).values(successor_id=first)
        )


def test_for_every_unit_of_the_generated_organisation_there_is_one_answer() -> None:
    """Both ways of asking, whole and with every other 派驻机构 lost (R6-2)."""
    engine = open_engine("sqlite://")
    lay_out(engine)
    made = generate(DEMO)
    with engine.begin() as db:
        every = put_in(db, made)
        for lost in (False, True):
            if lost:
                some_relations = _relations.c.id % 2 == 0
                db.execute(update(_relations).where(some_relations).values(ends_on=ON))
            whose = Whose(db, ON)
            whose.know(every)
            gaps = 0
            for one in every:
                found = whose.organ(one, RelationKind.DISCIPLINE)
                gaps += isinstance(found, Gap) and found.words.endswith("没有派驻机构")
                check_organ(whose, db, one, RelationKind.DISCIPLINE)
            assert bool(gaps) is lost


def put_in(db: Connection, made: Generated) -> list[int]:
    """The units and relations of a generated organisation; the ids of the units."""
    rows: dict[str, int] = {}
    paths: dict[str, str] = {"": "/"}
    for n, one in enumerate(made.units, 1):
        rows[one.code], paths[one.code] = n, f"{paths[one.parent]}{n}/"
        values = {"id": n, "code": one.code, "name": one.name, "short_name": one.name}
        values |= {"level": Level(one.level), "kind": OrganisationKind(one.kind)}
        of = {"parent_id": rows.get(one.parent), "path": paths[one.code]}
        db.execute(insert(_organisations), values | of)
    kinds = {name: kind for kind, name in posts.ORGAN_NAMES.items()}
    for tie in made.relations:
        ends = {"organ_id": rows[tie.organ], "served_id": rows[tie.served]}
        db.execute(insert(_relations), ends | {"kind": kinds[tie.kind], "starts_on": date.min})
    return sorted(rows.values())
