"""The sheet 任职 against what is there: who holds which post from when to when, one at a time.

Who somebody is: by their number (人员编号), or by their name among those who hold or held a post of
the same unit. The same name elsewhere is another person until a number says otherwise.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from documents.organisation_file import TERMS, TermRow
from models.batch import LineAct
from policy.terms import Term
from services.batches.dated import Dated, overlapping
from services.batches.difference import (
    Difference,
    Insert,
    Line,
    Ref,
    Update,
    changed,
    made,
    term_act,
)
from services.batches.known import KnownPerson, KnownTerm, Title
from services.batches.post_rows import Posts

Who = tuple[str, ...]
"""The key of a person: ``("id", "17")``, ``("number", "A-3")`` or ``("name", unit, name)``."""


@dataclass(slots=True)
class _People:
    """Who the names of the sheet are."""

    posts: Posts
    found: Difference
    by_number: dict[str, tuple[Who, str]] = field(default_factory=dict)
    in_unit: dict[tuple[str, str], dict[int, KnownPerson]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    numbered: dict[tuple[str, str], int] = field(default_factory=dict)
    """Rows in which somebody of that unit and name has a number."""
    added: set[Who] = field(default_factory=set)

    def who(self, row: TermRow, unit: str) -> Who | None:
        """The person of a row; None after a fault."""
        if row.person_code:
            return self._numbered(row, unit)
        elsewhere = self.numbered.get((unit, row.person))
        if elsewhere is not None:
            message = f"第 {elsewhere} 行的“{row.person}”有人员编号，这一行没有，请统一填写"
            self.found.fault(TERMS, row.row, "人员编号", message)
            return None
        known = list(self.in_unit[unit, row.person])
        if len(known) > 1:
            message = f"这个组织有 {len(known)} 个“{row.person}”，请填写人员编号"
            self.found.fault(TERMS, row.row, "人员编号", message)
            return None
        if known:
            return "id", str(known[0])
        return self._new(("name", unit, row.person), row)

    def _numbered(self, row: TermRow, unit: str) -> Who | None:
        number = row.person_code
        if number not in self.by_number:
            self.by_number[number] = self._of_number(row, unit), row.person
        who, name = self.by_number[number]
        if name != row.person:
            message = f"编号 {number} 是“{name}”，这一行是“{row.person}”"
            self.found.fault(TERMS, row.row, "人员编号", message)
            return None
        return who

    def _of_number(self, row: TermRow, unit: str) -> Who:
        """A person of the unit who has no number yet gets it."""
        unnumbered = [
            person for person in self.in_unit[unit, row.person].values() if person.code is None
        ]
        if len(unnumbered) == 1:
            person = unnumbered[0]
            update = Update("person", person.id, {"code": None}, {"code": row.person_code})
            self.found.updates.append(update)
            return "id", str(person.id)
        return self._new(("number", row.person_code), row)

    def _new(self, who: Who, row: TermRow) -> Who:
        if who not in self.added:
            self.added.add(who)
            values = {"name": row.person, "code": row.person_code or None}
            self.found.inserts.append(Insert("person", values, who))
        return who


def compare_terms(
    posts: Posts, rows: Sequence[TermRow], found: Difference, importer: int | None
) -> None:
    """Add what the sheet changes, and what is wrong in it, to ``found``.

    ``importer`` is the person who imports, None for the system: nobody appoints themselves.
    """
    placed = [(row, title) for row in rows if (title := _title(posts, row, found)) is not None]
    people = _people(posts, placed, found)
    by_post: dict[Title, list[tuple[TermRow, Who]]] = defaultdict(list)
    for row, title in placed:
        who = people.who(row, title[0]) if row.person else None
        if who is None or row.starts_on is None:
            continue
        if importer is not None and who == ("id", str(importer)):
            message = "不能为自己办理任职，请由上级的系统运维员导入"
            found.fault(TERMS, row.row, "人员", message)
        if Term(row.starts_on, row.ends_on).reversed:
            found.fault(TERMS, row.row, "免职日期", "免职日期应在任职日期之后")
        else:
            by_post[title].append((row, who))
    for title, of_post in by_post.items():
        _compare(posts, title, of_post, found)


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
    return unit, row.title


def _people(posts: Posts, placed: Sequence[tuple[TermRow, Title]], found: Difference) -> _People:
    people = _People(posts, found)
    for number, person in posts.known.people.items():
        people.by_number[number] = ("id", str(person.id)), person.name
    for (unit, _), terms in posts.known.terms.items():
        for term in terms:
            people.in_unit[unit, term.person.name][term.person.id] = term.person
    for row, title in placed:
        if row.person_code:
            people.numbered.setdefault((title[0], row.person), row.row)
    return people


def _compare(
    posts: Posts, title: Title, rows: Sequence[tuple[TermRow, Who]], found: Difference
) -> None:
    """One post: each row against its own term there, and all together against each other."""
    if title in posts.known.posts:
        found.shifted.add(posts.known.posts[title].id)
    known = {(str(t.person.id), t.starts_on): t for t in posts.known.terms.get(title, ())}
    left = dict(known)
    seen: dict[tuple[Who, object], int] = {}
    terms: list[Dated] = []
    for row, who in rows:
        assert row.starts_on is not None
        first = seen.setdefault((who, row.starts_on), row.row)
        if first != row.row:
            message = f"与第 {first} 行是同一人同一职务的同一任职"
            found.fault(TERMS, row.row, "任职日期", message)
            continue
        same = left.pop((who[1], row.starts_on), None) if who[0] == "id" else None
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
    who: Who,
    same: KnownTerm | None,
    found: Difference,
) -> None:
    what = f"{posts.name(title)}　{row.person}"
    if same is not None:
        act = term_act(same.ends_on, row.ends_on)
        fields, before, after = changed((("ends_on", "免职日期", same.ends_on, row.ends_on),))
        if fields:
            found.updates.append(Update("appointment", same.id, before, after))
        found.lines.append(Line(TERMS, row.row, act, what, fields))
        return
    dates = ("任职日期", row.starts_on), ("免职日期", row.ends_on)
    fields = made(("人员", row.person), ("人员编号", row.person_code), *dates)
    found.lines.append(Line(TERMS, row.row, LineAct.NEW, what, fields))
    if who[0] == "id":
        found.ids[Ref("person", who)] = int(who[1])
    values = {
        "post_id": Ref("post", title),
        "person_id": Ref("person", who),
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
    }
    found.inserts.append(Insert("appointment", values))
