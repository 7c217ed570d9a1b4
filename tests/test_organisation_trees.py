"""Any valid tree comes in with right paths; any single corruption is named and saves nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from bench.trees import whole_city
from documents.tree import RANKS, UNIT, TreeRow, check_tree, parents_first
from models.base import table
from models.organisation import Organisation, Post, PostKind
from services.command import SYSTEM
from services.env import Env
from services.faulty import Faulty
from services.organisation import import_tree
from tests.founded import ON, counts, keys

_organisations = table(Organisation)
_posts = table(Post)
LEVELS = (*RANKS, UNIT)


@st.composite
def trees(draw: st.DrawFn) -> list[TreeRow]:
    """Any valid tree of up to 14 rows, its rows in any order."""
    rows: list[TreeRow] = []
    for number in range(draw(st.integers(1, 14))):
        above = draw(st.sampled_from([None, *rows]))
        level = draw(st.sampled_from([lv for lv in LEVELS if _fits(lv, above)] or [UNIT]))
        name = draw(st.sampled_from(("滨河", "浦新", "东禾", "竹林"))) + level
        rows.append(TreeRow(0, f"n{number}", name, level, above.code if above else ""))
    shuffled = draw(st.permutations(rows))
    return [replace(row, number=number) for number, row in enumerate(shuffled, start=2)]


def _fits(level: str, above: TreeRow | None) -> bool:
    if above is None or level == UNIT:
        return True
    return above.level != UNIT and RANKS[above.level] < RANKS[level]


def corruptions(rows: list[TreeRow], at: int) -> Iterator[tuple[TreeRow, str]]:
    """Every way to spoil one row, with the column that must be named."""
    row = rows[at]
    yield replace(row, code=""), "编码"
    yield replace(row, code="a b"), "编码"
    yield replace(row, name=""), "名称"
    yield replace(row, name="甲" * 61), "名称"
    yield replace(row, name="甲\n乙"), "名称"
    yield replace(row, level="街道"), "层级"
    yield replace(row, level=""), "层级"
    yield replace(row, parent_code="nowhere"), "上级编码"
    yield replace(row, parent_code=row.code), "上级编码"
    for child in rows:
        if child.parent_code == row.code:
            yield replace(row, parent_code=child.code), "上级编码"
    if at:
        yield replace(row, code=rows[0].code), "编码"


@settings(max_examples=300, deadline=None)
@given(trees(), st.data())
def test_any_single_corruption_of_any_tree_is_named(
    rows: list[TreeRow], data: st.DataObject
) -> None:
    assert check_tree(rows, {}) == []
    at = data.draw(st.integers(0, len(rows) - 1))
    bad, column = data.draw(st.sampled_from(list(corruptions(rows, at))))
    faults = check_tree([*rows[:at], bad, *rows[at + 1 :]], {})
    assert any(fault.row == bad.number and fault.column == column for fault in faults)


@given(trees())
def test_parents_come_first_and_nobody_is_lost(rows: list[TreeRow]) -> None:
    ordered = parents_first(rows)
    assert sorted(row.number for row in ordered) == [row.number for row in rows]
    seen = {""}
    for row in ordered:
        assert row.parent_code in seen
        seen.add(row.code)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=trees(), data=st.data())
def test_any_tree_comes_in_with_right_paths_and_any_corrupted_one_leaves_nothing(
    env: Env, engine: Engine, rows: list[TreeRow], data: st.DataObject
) -> None:
    own = next(keys)
    mine = [
        replace(
            row,
            code=f"{own}-{row.code}",
            parent_code=f"{own}-{row.parent_code}" if row.parent_code else "",
        )
        for row in rows
    ]
    before = counts(engine)
    at = data.draw(st.integers(0, len(mine) - 1))
    bad, _ = data.draw(st.sampled_from(list(corruptions(mine, at))))
    with pytest.raises(Faulty):
        import_tree(env, SYSTEM, [*mine[:at], bad, *mine[at + 1 :]], key=next(keys), on=ON)
    assert counts(engine) == before
    report = import_tree(env, SYSTEM, mine, key=next(keys), on=ON)
    after = counts(engine)
    assert after["organisation"] - before["organisation"] == report.organisations
    assert after["account"] - before["account"] == report.posts
    _check_paths(engine, own, mine)


def _check_paths(engine: Engine, own: str, rows: list[TreeRow]) -> None:
    with engine.connect() as db:
        query = select(_organisations).where(_organisations.c.code.startswith(f"{own}-"))
        made = {row.code: row for row in db.execute(query)}
        leads = select(_posts.c.organisation_id).where(_posts.c.rank == 0)
        led = Counter(db.execute(leads).scalars())
        operated = select(_posts.c.organisation_id).where(_posts.c.kind == PostKind.OPERATOR)
        operators = set(db.execute(operated).scalars())
    for row in rows:
        kept, parent = made[row.code], made.get(row.parent_code)
        assert kept.path == f"{parent.path if parent else '/'}{kept.id}/"
        assert kept.parent_id == (parent.id if parent else None)
        assert operators & {int(part) for part in kept.path.split("/") if part}
    assert all(led[row.id] == 1 for row in made.values())


def test_a_tree_of_the_size_of_shanghai_comes_in_whole(env: Env, engine: Engine) -> None:
    """How long it takes is measured by ``bench.org_import``."""
    report = import_tree(env, SYSTEM, whole_city(), key="whole", on=ON)
    assert (report.added, report.organisations) == (6760, 6760 + 17 * 6 + 234 * 11)
    assert counts(engine)["organisation"] == report.organisations
