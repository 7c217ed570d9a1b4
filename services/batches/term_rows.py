"""The sheet 任职 against what is there: who holds which post from when to when, one at a time.

Who somebody is: by their number (人员编号), or by their name among those who hold or held a post of
the same unit. The same name elsewhere is another person until a number says otherwise.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from documents.organisation_file import POSTS, TERMS, TermRow
from models.batch import LineAct
from policy.terms import FURTHEST, Term
from services.batches.dated import Dated, overlapping
from services.batches.difference import (
    Difference,
    Line,
    Update,
    changed,
    made,
    term_act,
)
from services.batches.known import KnownPerson, KnownTerm, Terms, Title
from services.batches.post_rows import Posts

_TermOf = tuple[TermRow, int]
"""A row, and who it is: the id of a person who is there, the number of a new one."""


@dataclass(slots=True)
class _People:
    """Who the names of the sheet are."""

    known: Mapping[str, KnownPerson]
    found: Difference
    by_number: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Those whose number nobody has yet."""
    in_unit: dict[tuple[str, str], tuple[KnownPerson, ...]] = field(default_factory=dict)
    """Who holds or held a post there, by unit and name, of the names that are asked for."""
    here: set[int] = field(default_factory=set)
    """Who holds or held a post of the units of the file: nobody else's name is told."""
    numbered: dict[tuple[str, str], int] = field(default_factory=dict)
    """Rows in which somebody has a number, by a unit and a name that some row has without."""

    def who(self, row: TermRow, unit: str) -> int | None:
        """The id or number of the person of a row; None after a fault."""
        if row.person_code:
            return self._numbered(row, unit)
        elsewhere = self.numbered.get((unit, row.person))
        if elsewhere is not None:
            message = f"第 {elsewhere} 行的“{row.person}”有人员编号，这一行没有，请统一填写"
            self.found.fault(TERMS, row.row, "人员编号", message)
            return None
        known = self.in_unit.get((unit, row.person), ())
        if len(known) > 1:
            message = f"这个组织有 {len(known)} 个“{row.person}”，请填写人员编号"
            self.found.fault(TERMS, row.row, "人员编号", message)
            return None
        return known[0].id if known else self._new(("name", unit, row.person), row)

    def _numbered(self, row: TermRow, unit: str) -> int | None:
        number = row.person_code
        person = self.known.get(number)
        if person is None and number not in self.by_number:
            self.by_number[number] = self._of_number(row, unit), row.person
        who, name = self.by_number[number] if person is None else (person.id, person.name)
        if name != row.person:
            told = person is None or person.id in self.here
            message = f"编号 {number} 是“{name}”，这一行是“{row.person}”"
            hidden = f"编号 {number} 登记的姓名不是“{row.person}”，请核对编号和姓名"
            self.found.fault(TERMS, row.row, "人员编号", message if told else hidden)
            return None
        return who

    def _of_number(self, row: TermRow, unit: str) -> int:
        """A person of the unit who has no number yet gets it."""
        known = self.in_unit.get((unit, row.person), ())
        unnumbered = [person for person in known if person.code is None]
        if len(unnumbered) == 1:
            person = unnumbered[0]
            update = Update("person", person.id, {"code": None}, {"code": row.person_code})
            self.found.updates.append(update)
            return person.id
        return self._new(("number", row.person_code), row)

    def _new(self, key: tuple[str, ...], row: TermRow) -> int:
        if key not in self.found.numbers["person"]:
            values = {"name": row.person, "code": row.person_code or None}
            self.found.insert("person", values, key)
        return self.found.number("person", key)


def compare_terms(
    posts: Posts, rows: Sequence[TermRow], found: Difference, importer: int | None, on: date
) -> None:
    """Add what the sheet changes, and what is wrong in it, to ``found``.

    ``importer`` is the person who imports, None for the system: nobody appoints themselves. ``on``
    is today: no term begins much later, as with 任职登记.
    """
    placed = [(row, title) for row in rows if (title := _title(posts, row, found)) is not None]
    terms, known = posts.known.terms()
    _refuse_own(posts, terms, found, importer, on)
    people = _People(known, found)
    _find_people(people, placed, terms)
    by_post: dict[Title, list[_TermOf]] = defaultdict(list)
    for row, title in placed:
        who = people.who(row, title[0]) if row.person else None
        if who is None or row.starts_on is None:
            continue
        if who == importer:
            message = "不能为自己办理任职，请由上级的系统运维员导入"
            found.fault(TERMS, row.row, "人员", message)
        if row.starts_on > on + FURTHEST:
            found.fault(TERMS, row.row, "任职日期", "最多登记到一年以内，请核对年份")
        if Term(row.starts_on, row.ends_on).reversed:
            found.fault(TERMS, row.row, "免职日期", "免职日期应在任职日期之后")
        else:
            by_post[title].append((row, who))
    for title, of_post in by_post.items():
        _compare(posts, title, of_post, terms.get(title, ()), found)


def _refuse_own(
    posts: Posts, terms: Terms, found: Difference, importer: int | None, on: date
) -> None:
    """Nobody makes another one of their own post: a 系统运维员 decides nothing."""
    changes = {one.id for one in found.updates if one.table == "post"}
    for title, of_post in terms.items():
        if posts.known.posts[title].id not in changes:
            continue
        held = (term for term in of_post if Term(term.starts_on, term.ends_on).ends_after(on))
        if importer in {term.person.id for term in held}:
            message = "不能变更本人所任的职务，请由上级的系统运维员导入"
            found.fault(POSTS, posts.rows[title].row, "职务名称", message)


def _title(posts: Posts, row: TermRow, found: Difference) -> Title | None:
    if not row.unit:
        return None
    unit, wrong = posts.units.find(row.unit)
    if wrong:
        found.fault(TERMS, row.row, "组织", wrong)
    if wrong or not row.title:
        return None
    missing = posts.find(unit, row.title)
    if missing:
        found.fault(TERMS, row.row, "职务", missing)
        return None
    return posts.title(unit, row.title)


def _find_people(people: _People, placed: Sequence[tuple[TermRow, Title]], there: Terms) -> None:
    """Who is asked for by their names, of those who are there and of those in the file."""
    bare = {(title[0], row.person) for row, title in placed if not row.person_code}
    asked = {(title[0], row.person) for row, title in placed if row.person_code not in people.known}
    for row, title in placed:
        if row.person_code and (title[0], row.person) in bare:
            people.numbered.setdefault((title[0], row.person), row.row)
    for (unit, _), terms in there.items():
        for term in terms:
            people.here.add(term.person.id)
            key = unit, term.person.name
            same = people.in_unit.get(key, ())
            if key in asked and term.person.id not in {person.id for person in same}:
                people.in_unit[key] = (*same, term.person)


def _compare(
    posts: Posts,
    title: Title,
    rows: Sequence[_TermOf],
    there: Sequence[KnownTerm],
    found: Difference,
) -> None:
    """One post: each row against its own term there, and all together against each other."""
    if title in posts.known.posts:
        found.shifted.add(posts.known.posts[title].id)
    left = {(t.person.id, t.starts_on): t for t in there}
    seen: dict[tuple[int, date], int] = {}
    terms: list[Dated] = []
    for row, who in rows:
        assert row.starts_on is not None
        first = seen.setdefault((who, row.starts_on), row.row)
        if first != row.row:
            message = f"与第 {first} 行是同一人同一职务的同一任职"
            found.fault(TERMS, row.row, "任职日期", message)
            continue
        same = left.pop((who, row.starts_on), None)
        terms.append(Dated(Term(row.starts_on, row.ends_on), row.row, row.person))
        _line(posts, title, row, who, same, found)
    terms += [Dated(Term(t.starts_on, t.ends_on), 0, t.person.name) for t in left.values()]
    for mine, other in overlapping(terms):
        message = (
            f"“{posts.name(title)}”同一时间只能有一人任职：与{other.place}“{other.label}”"
            f"自 {other.term.starts_on} 起的任职重叠，请先填写其免职日期"
        )
        found.fault(TERMS, mine.row, "任职日期", message)


def _line(
    posts: Posts,
    title: Title,
    row: TermRow,
    who: int,
    same: KnownTerm | None,
    found: Difference,
) -> None:
    what = f"{posts.name(title)}　{row.person}"
    if same is not None:
        act = term_act(same.ends_on, row.ends_on)
        fields, before, after = changed((("ends_on", "免职日期", same.ends_on, row.ends_on),))
        if fields:
            found.updates.append(Update("appointment", same.id, before, after))
        if row.person_code and same.person.code is None:
            fields = (*fields, ("人员编号", "", row.person_code))
            act = LineAct.CHANGED if act is LineAct.UNCHANGED else act
        found.lines.add(Line(TERMS, row.row, act, what, fields))
        return
    dates = ("任职日期", row.starts_on), ("免职日期", row.ends_on)
    fields = made(("人员", row.person), ("人员编号", row.person_code), *dates)
    found.lines.add(Line(TERMS, row.row, LineAct.NEW, what, fields))
    values = {
        "post_id": posts.number(title, found),
        "person_id": who,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
    }
    found.insert("appointment", values)
