"""The generated organisations: counts by the formula, organs for all, a demo that comes in."""

from collections import Counter
from pathlib import Path

import pytest

from deployments.demo.departments import departments
from deployments.generating import CITY, DEMO, STRESS, Generated, generate, units, workbook
from deployments.generating.organisation import RELATIONS
from documents.organisation_file import read_organisation_file
from policy.subjects import SUBJECTS
from tests.test_cli import run

PLACES, TOWNS, ZONES, VILLAGES = 1 + 16, 215, 19, 6509
"""City and districts; streets and towns; zones and farms; 居村 of the list of divisions."""


@pytest.fixture(scope="module")
def city() -> Generated:
    """The whole city, to be looked at only."""
    return generate(CITY)


def test_the_city_is_the_sum_of_the_formula(city: Generated) -> None:
    assert len(city.units) == 1 + 16 * (1 + 70) + (TOWNS + ZONES) + 79 == 1450
    assert Counter(unit.kind for unit in city.units) == {
        "党委": PLACES + TOWNS,
        "党组": 25 + 16 * 22,
        "派驻机构": 25 + 16 * 22,
        "工作机关": PLACES * 12,
        "企事业党组织": 11 + 16 * 8 + ZONES,
        **dict.fromkeys(("纪委", "组织部", "宣传部", "巡察办", "党委办", "领导小组"), PLACES),
    }
    assert Counter(unit.level for unit in city.units) == {
        "市": 1 + 6 + 2 * 25 + 12,
        "区": 16 * (1 + 6 + 2 * 22 + 12),
        "街镇": TOWNS + ZONES,
        "企事业": 11 + 16 * 8,
    }


def test_the_stress_tier_adds_villages_and_enterprises_of_streets() -> None:
    found, below = units(STRESS), {unit.code for unit in units(CITY)}
    assert len(found) == 1450 + VILLAGES + 41 == 8000
    more = Counter((unit.level, unit.kind) for unit in found if unit.code not in below)
    assert more == {("居村", "党委"): VILLAGES, ("企事业", "企事业党组织"): 41}


def test_thirty_thousand_people_hold_every_post(city: Generated) -> None:
    posts = [(post.unit, post.title) for post in city.posts]
    assert len(posts) == len(set(posts))
    assert Counter((term.unit, term.title) for term in city.terms) == Counter(posts)
    assert {post.unit for post in city.posts} == {unit.code for unit in city.units}
    held = Counter(term.code for term in city.terms)
    assert len(held) >= 30_000
    assert sum(many == 2 for many in held.values()) == PLACES * 4  # heads that are members too
    assert max(held.values()) == 2
    firsts = Counter(post.unit for post in city.posts if post.rank == 1)
    assert set(firsts.values()) == {1}


@pytest.mark.parametrize("tier", [DEMO, CITY, STRESS], ids=["demo", "city", "stress"])
def test_every_organisation_with_subjects_has_its_six_organs(
    tier: object, request: pytest.FixtureRequest
) -> None:
    made = request.getfixturevalue("city") if tier is CITY else generate(tier)  # type: ignore[arg-type]
    kinds = {unit.code: unit.kind for unit in made.units}
    has: dict[str, Counter[str]] = {code: Counter() for code in kinds}
    for one in made.relations:
        has[one.served][one.kind] += 1
        if one.kind == "纪检机构":
            assert kinds[one.organ] in SUBJECTS[kinds[one.served]].discipline
    above = Counter({"上级纪检机构": 1})
    for unit in made.units:
        wanted = Counter(dict.fromkeys(RELATIONS.values(), 1)) if unit.kind in SUBJECTS else None
        if wanted is None:  # organs serve; of them only discipline organs have one above
            below_city = unit.kind == "派驻机构" or (unit.kind == "纪委" and unit.level == "区")
            wanted = above if below_city else Counter()
        assert has[unit.code] == wanted, unit


def test_a_group_has_the_discipline_organ_stationed_with_it(city: Generated) -> None:
    organ = {one.served: one.organ for one in city.relations if one.kind == "纪检机构"}
    stationed = {unit.of: unit.code for unit in city.units if unit.kind == "派驻机构"}
    groups = {unit.code for unit in city.units if unit.kind == "党组"}
    assert {code: organ[code] for code in groups} == stationed


def test_charges_name_posts_and_units_below(city: Generated) -> None:
    posts = {(post.unit, post.title) for post in city.posts}
    parents = {unit.code: unit.parent for unit in city.units}
    assert all((one.unit, one.title) in posts for one in city.charges)
    assert all(bool(one.over) != bool(one.area) for one in city.charges)
    assert all(parents[one.over] == one.unit for one in city.charges if one.over)
    charged = {one.over for one in city.charges if one.over}
    assert {unit.code for unit in city.units if unit.level == "街镇"} <= charged


def test_the_same_seed_is_the_same_file_and_another_other_names_only() -> None:
    made, other = generate(DEMO), generate(DEMO, seed=2)
    assert workbook(made) == workbook(generate(DEMO))
    assert made.terms != other.terms
    assert (made.units, made.posts, made.charges, made.relations) == (
        other.units,
        other.posts,
        other.charges,
        other.relations,
    )


def test_what_a_district_has_beside_its_tree_is_served_by_the_organs_of_the_tree() -> None:
    made = departments("3199", "滨河区")
    kinds = {unit.code: unit.kind for unit in made.units}
    assert Counter(kinds.values()) == {"党组": 2, "派驻机构": 2, "工作机关": 1, "企事业党组织": 1}
    organs = {one.organ for one in made.relations} - kinds.keys()
    assert organs == {
        f"3199.{slug}"
        for slug in ("discipline", "organisation", "publicity", "inspection", "office", "group")
    }
    served = Counter(one.served for one in made.relations)
    assert served == {
        code: 6 if kind in SUBJECTS else 1 for code, kind in kinds.items() if kind != "工作机关"
    }
    above = {(one.title, one.over) for one in made.charges if one.unit == "3199"}
    assert above == {("副书记", code) for code, kind in kinds.items() if kind != "派驻机构"}
    assert {(post.unit, post.title) for post in made.posts} == {
        (term.unit, term.title) for term in made.terms
    }
    assert {term.name for term in made.terms if term.unit == "3199-G1"} >= {
        "滨河区第1局党组书记",
        "滨河区第1局党组纪检委员",
    }


def test_the_workbook_says_what_was_made_and_needs_no_mending() -> None:
    made = generate(DEMO)
    read = read_organisation_file(workbook(made), "组织.xlsx")
    assert (read.faults, read.changes) == ((), ())
    for name in ("units", "posts", "terms", "charges", "relations"):
        assert len(getattr(read, name)) == len(getattr(made, name))


def test_a_generated_organisation_comes_in_and_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOURDUTIES_DATA", str(tmp_path / "data"))
    run("migrate")
    said = run("org", "generate", "--tier", "demo", "--out", "new.xlsx")
    assert "组织 36 个" in said.output
    done = run("org", "import", "new.xlsx")
    assert done.exit_code == 0, done.output
    assert "组织：新增 36" in done.output
    assert "导入后的缺位" not in done.output
    assert "已撤销" in run("org", "undo", done.output.split("回执号 ")[1].split()[0]).output
    refused = run("org", "generate", "--out", "new.xlsx")
    assert refused.exit_code == 1
    assert "没有覆盖" in refused.output
