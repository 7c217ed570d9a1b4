"""The sheet 职务 against what is there, and posts by unit and title for the other sheets."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from documents.organisation_file import POSTS, PostRow
from documents.resemble import Resembling
from models.batch import LineAct
from models.organisation import PostKind
from services.batches.difference import Difference, Line, Update, changed, made
from services.batches.known import Known, KnownPost, Title
from services.batches.units import Units
from services.posts import KIND_NAMES
from services.scope import post_name

_KINDS = {name: kind for kind, name in KIND_NAMES.items()}


@dataclass(slots=True)
class Posts:
    """The posts as they would be: those that are there and those of the file."""

    units: Units
    known: Known
    rows: dict[Title, PostRow] = field(default_factory=dict)

    def find(self, unit: str, title: str) -> str:
        """Why a unit has no such post, in Chinese; ``""`` if it has one."""
        known = self.known.posts.get((unit, title))
        if (unit, title) in self.rows or (known is not None and known.living):
            return ""
        added = [post for code, post in self.rows if code == unit]
        near = Resembling([*self.known.titles.get(unit, ()), *added]).hint(title)
        return f"“{self.units.short_name(unit)}”没有“{title}”这个职务{near}"

    def title(self, unit: str, title: str) -> Title:
        """What a post is found by, that of one that is there not kept twice."""
        known = self.known.posts.get((unit, title))
        return (unit, title) if known is None else known.title

    def number(self, title: Title, found: Difference) -> int:
        """The id of a post that is there, or the number of a new one."""
        known = self.known.posts.get(title)
        return found.number("post", title) if known is None else known.id

    def name(self, title: Title) -> str:
        """Unit and title as people say them."""
        return post_name(self.units.short_name(title[0]), title[1])


def compare_posts(posts: Posts, rows: Sequence[PostRow], found: Difference) -> None:
    """Add what the sheet changes, and what is wrong in it, to ``found``."""
    titles = [(row, _title(posts, row, found)) for row in rows]
    leads = _leads(posts)
    for row, title in titles:
        if title is not None:
            _check_lead(leads, title, row, found)
            _compare(posts, title, row, found)


def _leads(posts: Posts) -> dict[str, str]:
    """The leading post of each unit that the file leaves as it is."""
    return {
        unit: title
        for (unit, title), post in posts.known.posts.items()
        if post.living and post.rank == 0 and (unit, title) not in posts.rows
    }


def _title(posts: Posts, row: PostRow, found: Difference) -> Title | None:
    if not row.unit:
        return None
    unit, wrong = posts.units.find(row.unit)
    if wrong:
        found.fault(POSTS, row.row, "组织", wrong)
    if wrong or not row.title:
        return None
    first = posts.rows.get((unit, row.title))
    if first is not None:
        message = f"“{posts.name((unit, row.title))}”与第 {first.row} 行重复"
        found.fault(POSTS, row.row, "职务名称", message)
        return None
    title = posts.title(unit, row.title)
    posts.rows[title] = row
    return title


def _check_lead(leads: dict[str, str], title: Title, row: PostRow, found: Difference) -> None:
    if row.rank != 0:
        return
    lead = leads.setdefault(title[0], title[1])
    if lead != title[1]:
        found.fault(POSTS, row.row, "排序", f"主要负责人（排序 1）已有“{lead}”，只能有一个")


def _compare(posts: Posts, title: Title, row: PostRow, found: Difference) -> None:
    known = posts.known.posts.get(title)
    kind = _KINDS.get(row.kind)
    if kind is None or row.rank < 0:
        return  # the reader has named it
    if known is None:
        _add(posts, title, row, kind, found)
    elif not known.living:
        found.fault(POSTS, row.row, "职务名称", "这个职务已经撤销，请换一个名称")
    else:
        _change(posts, title, row, known, found)


def _add(posts: Posts, title: Title, row: PostRow, kind: PostKind, found: Difference) -> None:
    fields = made(("类别", row.kind), ("排序", row.rank + 1))
    found.lines.add(Line(POSTS, row.row, LineAct.NEW, posts.name(title), fields))
    values = {
        "organisation_id": found.number("organisation", title[0]),
        "kind": kind,
        "title": title[1],
        "rank": row.rank,
    }
    found.insert("post", values, title)


def _change(posts: Posts, title: Title, row: PostRow, known: KnownPost, found: Difference) -> None:
    kind = _KINDS[row.kind]
    fields, _, _ = changed(
        (
            ("kind", "类别", KIND_NAMES[known.kind], row.kind),
            ("rank", "排序", known.rank + 1, row.rank + 1),
        )
    )
    _, before, after = changed((("kind", "", known.kind, kind), ("rank", "", known.rank, row.rank)))
    act = LineAct.CHANGED if fields else LineAct.UNCHANGED
    found.lines.add(Line(POSTS, row.row, act, posts.name(title), fields))
    if fields:
        found.updates.append(Update("post", known.id, before, after))
