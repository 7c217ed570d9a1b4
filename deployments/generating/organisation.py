"""Who is what to whom, on the organisations of the formula: relations, posts, people, portfolios.

The same tier and seed give the same organisation, whatever the day and the machine.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from deployments.generating.formula import ORGANS, Body, Tier, Unit, beside_organs, units
from policy.areas import AREAS
from policy.subjects import SUBJECTS

SEED, SINCE = 1, date(2026, 1, 1)
"""From ``SINCE`` everybody holds, and every relation is in force, unless another day is asked."""
RELATIONS = {
    "纪委": "纪检机构",
    "组织部": "组织部门",
    "宣传部": "宣传部门",
    "巡察办": "巡视巡察机构",
    "党委办": "党委办公机构",
    "领导小组": "巡视巡察工作领导小组",
}
"""What an organ, by its kind, is to every organisation with four subjects at and below it."""
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_FIGURES = "一二三四五六七八九"
_LEADING = ("纪委", "组织部", "宣传部", "党委办")
"""The organs whose head is, with a second post, a member of the committee."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post of a unit; ``rank`` from 1, which leads it and is there once."""

    unit: str
    title: str
    kind: str
    rank: int


@dataclass(frozen=True, slots=True)
class Term:
    """A person holds a post; ``code`` tells people apart, names may repeat as in life."""

    unit: str
    title: str
    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Charge:
    """A member is in charge of a unit (a code, or ``""``) or of an area (its name, or ``""``)."""

    unit: str
    title: str
    over: str
    area: str


@dataclass(frozen=True, slots=True)
class Relation:
    """``organ`` is the ``kind`` of ``served``."""

    organ: str
    kind: str
    served: str


@dataclass(frozen=True, slots=True)
class Generated:
    """A whole organisation, as rows that name each other by codes and titles."""

    units: Sequence[Unit]
    posts: Sequence[Post]
    terms: Sequence[Term]
    charges: Sequence[Charge]
    relations: Sequence[Relation]


@dataclass(frozen=True, slots=True)
class Place:
    """A city or district that stands already, made otherwise.

    ``organs``: their codes by kind, all of :data:`~deployments.generating.formula.ORGANS`;
    ``members``: the titles of those who take what is below it by turns.
    """

    code: str
    name: str
    level: str
    organs: Mapping[str, str]
    members: Sequence[str]


def generate(tier: Tier, seed: int = SEED) -> Generated:
    """The organisation of a tier; the seed chooses the names of people only."""
    made = units(tier)
    organs = {(unit.parent, unit.kind): unit.code for unit in made if unit.kind in ORGANS}
    return _generated(made, organs, {}, seed)


def generate_beside(place: Place, body: Body, seed: int = SEED) -> Generated:
    """What a place has beside its organs, served by these and taken in charge by its members.

    Rows of the place itself and of its organs are not in it, but for the charges of its members.
    """
    made = list(beside_organs(place.code, place.name, place.level, body))
    organs = {(place.code, kind): code for kind, code in place.organs.items()}
    return _generated(made, organs, {place.code: place.members}, seed)


def _generated(
    made: Sequence[Unit],
    organs: Mapping[tuple[str, str], str],
    members: Mapping[str, Sequence[str]],
    seed: int,
) -> Generated:
    """``organs`` by the code above them and their kind; ``members`` of committees not made here."""
    posts = [post for unit in made for post in _posts(unit)]
    return Generated(
        made,
        posts,
        list(_terms(made, posts, seed)),
        [*_charges(made, members), *_areas(made)],
        list(_relations(made, organs)),
    )


def _posts(unit: Unit) -> Iterator[Post]:
    """居村 7; organisations with a committee 9 to 13 leaders, others 3; then sections, clerks."""
    members = _members(unit)
    if members:
        yield Post(unit.code, "书记", "书记", 1)
    else:
        yield Post(unit.code, "主要负责人", "负责人", 1)
        members = ["副职1", "副职2"]
    for rank, title in enumerate(members, start=2):
        yield Post(unit.code, title, "班子成员", rank)
    if unit.level == "居村":
        sections, clerks = 0, 2
    else:
        sections, clerks = 6, 7 if unit.kind in SUBJECTS else 12
    for n in range(1, sections + 1):
        yield Post(unit.code, f"第{n}科负责人", "负责人", 30)
    for n in range(1, clerks + 1):
        yield Post(unit.code, f"联络员{n}", "联络员", 80)


def _members(unit: Unit) -> list[str]:
    """The titles of a leadership but for its secretary; none where there are no four subjects."""
    if unit.kind not in SUBJECTS:
        return []
    if unit.level == "居村":
        return ["副书记", "纪检委员", "组织委员", "宣传委员"]
    if unit.kind == "党委" and unit.level in ("市", "区"):
        return ["副书记", *(f"{kind}主要负责人" for kind in _LEADING), *_numbered(6)]
    return ["副书记", "纪检委员", "组织委员", "宣传委员", *_numbered(4)]


def _numbered(many: int) -> list[str]:
    return [f"班子成员{n}" for n in range(1, many + 1)]


def _terms(made: Sequence[Unit], posts: Sequence[Post], seed: int) -> Iterator[Term]:
    """A person for each post; the heads of four organs are also members of their committee."""
    chance = random.Random(seed)
    also = {
        (unit.code, "主要负责人"): (unit.parent, f"{unit.kind}主要负责人")
        for unit in made
        if unit.kind in _LEADING
    }
    holders: dict[tuple[str, str], tuple[str, str]] = {}
    for n, post in enumerate(posts, start=1):
        key = post.unit, post.title
        person = holders.get(also.get(key, key)) or (_name(chance), f"P{n:06}")
        holders[key] = person
        yield Term(*key, *person)


def _name(chance: random.Random) -> str:
    return "".join(chance.choice(of) for of in (_STEMS, _BRANCHES, _FIGURES, _FIGURES))


def _charges(made: Sequence[Unit], members: Mapping[str, Sequence[str]]) -> Iterator[Charge]:
    """Members take the units below their committee by turns."""
    below: dict[str, list[Unit]] = defaultdict(list)
    for unit in made:
        below[unit.parent].append(unit)
    for code, titles in {**members, **{unit.code: _members(unit) for unit in made}}.items():
        for n, under in enumerate(below[code] if titles else ()):
            if under.kind not in _LEADING and under.kind != "派驻机构":
                yield Charge(code, titles[n % len(titles)], under.code, "")


def _areas(made: Sequence[Unit]) -> Iterator[Charge]:
    """Each area has one of the members."""
    for unit in made:
        members = _members(unit)
        if members and unit.level != "居村":
            for n, area in enumerate(AREAS):
                yield Charge(unit.code, members[n % len(members)], "", area)


def _relations(made: Sequence[Unit], organs: Mapping[tuple[str, str], str]) -> Iterator[Relation]:
    """Organs of the nearest city or district; a 党组 has the discipline organ stationed with it."""
    by_code = {unit.code: unit for unit in made}
    stationed = {unit.of: unit.code for unit in made if unit.of}
    for unit in made:
        home = _home(unit, by_code, organs)
        if unit.kind in SUBJECTS:
            for kind, said in RELATIONS.items():
                own = stationed.get(unit.code) if kind == "纪委" else None
                yield Relation(own or organs[home, kind], said, unit.code)
        elif unit.kind == "派驻机构":
            yield Relation(organs[home, "纪委"], "上级纪检机构", unit.code)
        elif unit.kind == "纪委" and (above := by_code[unit.parent].parent):
            yield Relation(organs[above, "纪委"], "上级纪检机构", unit.code)


def _home(unit: Unit, by_code: dict[str, Unit], organs: Mapping[tuple[str, str], str]) -> str:
    code = unit.code
    while (code, "纪委") not in organs:
        code = by_code[code].parent
    return code
