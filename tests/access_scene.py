"""A scene in which every cell of ``policy.access`` can be asked: two districts that share nothing,
units of which each has words of its own, and who stands how to what, told from the rows alone.

What is expected does not come from ``services.scope``: the tree is walked here by its parents.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select, update

from models.account import Administrator
from models.base import table
from models.casework import Case, Decision, Slot, SlotState, Step
from models.message import Message
from models.organisation import (
    Level,
    Organisation,
    OrganisationKind,
    Person,
    Portfolio,
    Post,
    PostKind,
    Relation,
    RelationKind,
)
from models.problem import Manifestation, Problem
from models.substitution import Substitution
from policy.access import ORGANS, Action, Reach, Role, reaches
from policy.acts import Act
from policy.administration import AdministratorRole
from services.casework import mechanisms
from services.command import SYSTEM, Work
from services.database import reading
from services.rectification import start
from tests import rectification_cast as cast
from tests import world
from tests.account_scene import administrator
from tests.acts_scene import do
from tests.evidence_scene import give, keeping, pdf, slot
from tests.web_house import House, open_house
from tests.world import serve

FAR = 7_000_000
"""Ids of the other district begin here: no page has such a number by chance."""
MISSING = 9_876_543
WORDS = {"town": "樟木", "other": "雪松", "far_town": "胡杨"}
"""What is in every text of a unit's work, and in nothing else."""
NUMBERS = {"town": "柏", "other": "榆", "far_town": "槐"}
"""What is in the number of a unit's case: whoever divides the unit reads that, and no more."""
NAMES = {"town": "梧桐路", "other": "临江", "far_town": "东港街道", "far": "东港区委"}
SILENT = {"far_discipline_secretary", "far_office_head", "city_head"}
"""Who asks nothing: others stand to everything as they do."""
_UNITS = (
    ("far", "东港区委", Level.DISTRICT, OrganisationKind.COMMITTEE, None),
    ("far_discipline", "东港区纪委", Level.DISTRICT, OrganisationKind.DISCIPLINE, "far"),
    ("far_office", "东港区委巡察办", Level.DISTRICT, OrganisationKind.INSPECTION_OFFICE, "far"),
    ("far_town", "东港街道党工委", Level.TOWN, OrganisationKind.COMMITTEE, "far"),
    ("committee", "临江镇组织办", Level.TOWN, OrganisationKind.ORGANISATION_DEPT, "other"),
    ("publicity", "滨河区委宣传部", Level.DISTRICT, OrganisationKind.PUBLICITY_DEPT, "district"),
)
_POSTS = (
    ("far_secretary", "far", PostKind.SECRETARY, "书记", 0),
    ("far_operator", "far", PostKind.OPERATOR, "系统运维员", 9),
    ("far_discipline_secretary", "far_discipline", PostKind.SECRETARY, "书记", 0),
    ("far_office_head", "far_office", PostKind.HEAD, "主任", 0),
    ("far_town_secretary", "far_town", PostKind.SECRETARY, "书记", 0),
    ("far_town_clerk", "far_town", PostKind.CLERK, "联络员", 5),
    ("committee_head", "committee", PostKind.HEAD, "主任", 0),
    ("publicity_head", "publicity", PostKind.HEAD, "部长", 0),
)
_OFFICES = (
    ("publicity", RelationKind.PUBLICITY_DEPT, "town"),
    ("inspection", RelationKind.INSPECTION_OFFICE, "other"),
    ("committee", RelationKind.ORGANISATION_DEPT, "other"),
    ("far_discipline", RelationKind.DISCIPLINE, "far"),
    ("far_office", RelationKind.INSPECTION_OFFICE, "far"),
)


@dataclass(frozen=True)
class Thing:
    """Something with an id: whose unit's, what one must be allowed, of which case, whose alone."""

    id: int
    unit: int | None = None
    action: Action | None = None
    case: int | None = None
    holders: frozenset[str] = frozenset()


@dataclass
class Scene:
    """The house, and rows that say who stands how to what."""

    house: House
    cases: dict[str, int] = field(default_factory=dict)
    things: dict[str, list[Thing]] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    """By log-in."""
    at: dict[str, int] = field(default_factory=dict)
    """The unit of each, by log-in."""
    _read: dict[Any, list[Any]] = field(default_factory=dict)
    _forbidden: dict[str, list[str]] = field(default_factory=dict)

    @property
    def world(self) -> world.World:
        """The cast."""
        return self.house.world

    def rows(self, model: type, *columns: str, **where: Any) -> list[Any]:
        """Columns of the rows of a table; what was asked once is known."""
        asked = (model, columns, tuple(where.items()))
        if asked not in self._read:
            of = table(model)
            query = select(*(of.c[name] for name in columns)).order_by(of.c.id)
            conditions = (of.c[name] == value for name, value in where.items())
            with reading(self.house.case.env.engine) as db:
                self._read[asked] = list(db.execute(query.where(*conditions)))
        return self._read[asked]

    def forget(self) -> None:
        """What was read is read again."""
        self._read.clear()

    def line(self, unit: int) -> Iterator[int]:
        """A unit and those above it, by their parents."""
        parents = dict(map(tuple, self.rows(Organisation, "id", "parent_id")))
        above: int | None = unit
        while above is not None:
            yield above
            above = parents[above]

    def stands(self, login: str, unit: int) -> set[Reach]:
        """How somebody stands to a unit."""
        levels = dict(map(tuple, self.rows(Organisation, "id", "level")))
        own = self.at[login]
        found = {Reach.OWN} if own == unit else set()
        if unit in self.line(own) and levels[unit] == levels[own]:
            found.add(Reach.OFFICE)
        if own in self.line(unit):
            found.add(Reach.IN_LINE)
        post = self.world.posts.get(login)
        if (post, unit) in map(tuple, self.rows(Portfolio, "post_id", "unit_id")):
            found.add(Reach.CHARGE)
        serving = self.rows(Relation, "kind", organ_id=own, served_id=unit)
        organs = {organ.value: organ for organ in ORGANS}
        return found | {organs[kind.value] for (kind,) in serving if kind.value in organs}

    def concerned(self, login: str, case: int) -> set[Reach]:
        """How somebody stands to a case, whatever its unit."""
        person = self.world.people[login]
        found = set()
        if self.rows(Decision, "id", case_id=case, person_id=person):
            found.add(Reach.DECIDED)
        if self.rows(Message, "id", case_id=case, person_id=person, template="terminated"):
            found.add(Reach.TOLD)
        steps = {step for (step,) in self.rows(Step, "id", case_id=case)}
        waits = self.rows(Slot, "step_id", "post_id", state=SlotState.OPEN)
        asked = {row.post_id for row in waits if row.step_id in steps}
        posts = {self.world.posts.get(login)}
        posts |= {post for (post,) in self.rows(Substitution, "post_id", substitute_id=person)}
        return found | ({Reach.ASKED} if asked & posts else set())

    def allowed(self, login: str, thing: Thing) -> bool:
        """The cell of the table: whether the thing is there for somebody."""
        if login in thing.holders:
            return True
        if thing.action is None:
            return False
        role = self.roles[login]
        if thing.case is not None:
            concerned = reaches(Role.CONCERNED, thing.action)
            if not concerned.isdisjoint(self.concerned(login, thing.case)):
                return True
        if thing.unit is None:
            return False
        stands = self.stands(login, thing.unit)
        if thing.action is Action.CHANGE_POSTS:
            stands |= self._keeps_posts_of(login, thing.unit)
        return not reaches(role, thing.action).isdisjoint(stands)

    def _keeps_posts_of(self, login: str, unit: int) -> set[Reach]:
        """The nearest organisation department upwards keeps the posts of a unit."""
        for above in self.line(unit):
            kind = RelationKind.ORGANISATION_DEPT
            organs = {
                organ for (organ,) in self.rows(Relation, "organ_id", kind=kind, served_id=above)
            }
            if organs:
                return {Reach.ORGANISATION_DEPT} if self.at[login] in organs else set()
        return set()

    def forbidden(self, login: str) -> list[str]:
        """The words that this person may meet nowhere: of work, of cases' numbers, and the names of
        units of the other district, which nobody chooses from."""
        if login not in self._forbidden:
            self._forbidden[login] = [*self._of_work(login), *self._of_names(login)]
        return self._forbidden[login]

    def _of_work(self, login: str) -> Iterator[str]:
        for name, case in self.cases.items():
            unit = self.world.organisations[name]
            reads = self.allowed(login, Thing(0, unit, Action.READ_WORK, case))
            if not reads:
                yield WORDS[name]
            if not (reads or self.allowed(login, Thing(0, unit, Action.CHANGE_UNIT))):
                yield NUMBERS[name]

    def _of_names(self, login: str) -> Iterator[str]:
        top = list(self.line(self.at[login]))[-1]
        for name, word in NAMES.items():
            if list(self.line(self.world.organisations[name]))[-1] != top:
                yield word


def build(engine: Engine, folder: Path) -> Scene:
    """Both districts, a case in each of three towns, and one row of everything else in the town."""
    clock = world.Clock()
    case = cast.begin(engine, clock)
    case.world.env = replace(case.env, mechanisms=mechanisms())
    keeping(case, folder)
    made = case.world
    made.do(lambda work: _fill(made, work))
    for organ, kind, unit in _OFFICES:
        serve(made, organ, kind, unit)
    scene = Scene(open_house(case))
    scene.cases["town"] = case.case_id
    case.plan()
    for name in ("other", "far_town"):
        scene.cases[name] = start(
            made.env, SYSTEM, organisation_id=made.organisations[name], batch="1", key=name
        )
    case.settle()
    give(
        case,
        slot(case, "do-task", "office_clerk"),
        "office_clerk",
        {"樟木清单.pdf": pdf()},
        note="樟木说明",
    )
    do(made, "secretary", Act.URGE, slot(case, "do-task", "city_head"))
    for role in AdministratorRole:
        administrator(made, role)
    administrator(made, AdministratorRole.SYSTEM, "far")
    _say(scene)
    _know(scene)
    scene.forget()
    return scene


def _fill(made: world.World, work: Work) -> dict[str, object]:
    ids = made.organisations
    for n, (name, title, level, kind, parent) in enumerate(_UNITS, start=1):
        far = name.startswith("far")
        values: dict[str, Any] = {
            "code": name,
            "name": title,
            "short_name": title,
            "level": level,
            "kind": kind,
        }
        values |= {"parent_id": ids[parent] if parent else None, "path": ""}
        values |= {"id": FAR + n} if far else {}
        ids[name] = cast._insert(work, Organisation, values)
        of = table(Organisation)
        above = "/"
        if parent:
            above = work.db.execute(select(of.c.path).where(of.c.id == ids[parent])).scalar_one()
        mine = update(of).where(of.c.id == ids[name])
        work.db.execute(mine.values(path=f"{above}{ids[name]}/"))
    for n, (name, unit, post_kind, title, rank) in enumerate(_POSTS, start=1):
        values = {"organisation_id": ids[unit], "kind": post_kind, "title": title, "rank": rank}
        values |= {"id": FAR + n} if name.startswith("far") else {}
        made.posts[name] = cast._insert(work, Post, values)
        made.people[name] = cast._insert(work, Person, {"name": name})
        world.appoint(work, made.posts[name], made.people[name])
    for name in ("other", "far_town"):
        problem: dict[str, Any] = {
            "organisation_id": ids[name],
            "batch": "1",
            "number": 1,
            "area": 1,
        }
        problem |= {
            "category": "履行全面从严治党责任方面",
            "text": f"{WORDS[name]}问题",
            "state": "open",
        }
        cast._insert(work, Problem, problem)
    return {}


def _say(scene: Scene) -> None:
    """The word of a unit is in its problem, and in the number of its case."""
    cases, shown = table(Case), table(Manifestation)
    first = scene.rows(Problem, "id", case_id=scene.cases["town"])[0].id
    said = {"problem_id": first, "number": 1, "text": f"{WORDS['town']}表现"}
    with scene.house.case.env.engine.begin() as db:
        db.execute(insert(shown).values(said))
        for name, case in scene.cases.items():
            of_case = update(cases).where(cases.c.id == case)
            db.execute(of_case.values(number=cases.c.number + NUMBERS[name]))


def _know(scene: Scene) -> None:
    made = scene.world
    posts = {row.id: row for row in scene.rows(Post, "id", "kind", "organisation_id")}
    for login in sorted(made.posts.keys() - SILENT):
        post = made.posts[login]
        scene.roles[login] = Role(posts[post].kind.value)
        scene.at[login] = posts[post].organisation_id
    people = {person: login for login, person in made.people.items()}
    for row in scene.rows(Administrator, "person_id", "role", "organisation_id"):
        login = people[row.person_id]
        scene.roles[login], scene.at[login] = Role(row.role.value), row.organisation_id
