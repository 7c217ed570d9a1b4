"""The sheet 分管 against what is there: which post is in charge of which unit and area."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from documents.organisation_file import CHARGES, ChargeRow
from models.batch import LineAct
from policy.areas import AREAS
from policy.terms import Term
from services.batches.dated import Dated, overlapping
from services.batches.difference import (
    Difference,
    Line,
    Update,
    changed,
    made,
    term_act,
)
from services.batches.known import KnownCharge, Title
from services.batches.post_rows import Posts

_Charge = tuple[Title, str, int | None]
"""A post, the code of a unit or ``""``, an area."""


def compare_charges(posts: Posts, rows: Sequence[ChargeRow], found: Difference) -> None:
    """Add what the sheet changes, and what is wrong in it, to ``found``."""
    there = _there(posts)
    terms: dict[_Charge, list[Dated]] = defaultdict(list)
    seen: dict[tuple[_Charge, date], int] = {}
    for row in rows:
        charge = _charge(posts, row, found)
        if charge is None or row.starts_on is None:
            continue
        if Term(row.starts_on, row.ends_on).reversed:
            found.fault(CHARGES, row.row, "终止日期", "终止日期应在起始日期之后")
            continue
        first = seen.setdefault((charge, row.starts_on), row.row)
        if first != row.row:
            found.fault(CHARGES, row.row, "起始日期", f"与第 {first} 行重复")
            continue
        left = there.get(charge, [])
        same = next((one for one in reversed(left) if one.starts_on == row.starts_on), None)
        if same is not None:
            left.remove(same)
        terms[charge].append(Dated(Term(row.starts_on, row.ends_on), row.row, ""))
        _line(posts, charge, row, same, found)
    for charge, of_charge in terms.items():
        left = there.get(charge, [])
        of_charge += [Dated(Term(one.starts_on, one.ends_on), 0, "") for one in left]
        for mine, other in overlapping(of_charge):
            since = other.term.starts_on
            message = f"与{other.place}同一分管自 {since} 起的日期重叠，请先填写其终止日期"
            found.fault(CHARGES, mine.row, "起始日期", message)


def _there(posts: Posts) -> dict[_Charge, list[KnownCharge]]:
    """Without those over a unit that was closed or stands elsewhere: no row can be about it."""
    codes = {unit.id: code for code, unit in posts.units.known.items()}
    there: dict[_Charge, list[KnownCharge]] = defaultdict(list)
    for title, one in posts.known.charges():
        if one.over is None or one.over in codes:
            over = "" if one.over is None else codes[one.over]
            there[title, over, one.area].append(one)
    return there


def _charge(posts: Posts, row: ChargeRow, found: Difference) -> _Charge | None:
    unit = over = ""
    wrong = over_wrong = ""
    if row.unit:
        unit, wrong = posts.units.find(row.unit)
    if row.over:
        over, over_wrong = posts.units.find(row.over)
    missing = posts.find(unit, row.title) if unit and row.title else ""
    nothing = "" if row.over or row.area else "分管单位和分管领域至少填一项"
    for column, message in (
        ("组织", wrong),
        ("职务", missing),
        ("分管单位", over_wrong or nothing),
    ):
        if message:
            found.fault(CHARGES, row.row, column, message)
    right = unit and row.title and not (missing or over_wrong or nothing)
    return ((unit, row.title), over, row.area) if right else None


def _line(
    posts: Posts, charge: _Charge, row: ChargeRow, same: KnownCharge | None, found: Difference
) -> None:
    title, over, area = charge
    of = [posts.units.short_name(over)] if over else []
    of += [AREAS[area - 1]] if area else []
    what = f"{posts.name(title)}　分管{'、'.join(of)}"
    if same is not None:
        act = term_act(same.ends_on, row.ends_on)
        fields, before, after = changed((("ends_on", "终止日期", same.ends_on, row.ends_on),))
        if fields:
            found.updates.append(Update("portfolio", same.id, before, after))
        found.lines.add(Line(CHARGES, row.row, act, what, fields))
        return
    fields = made(("起始日期", row.starts_on), ("终止日期", row.ends_on))
    found.lines.add(Line(CHARGES, row.row, LineAct.NEW, what, fields))
    values = {
        "post_id": posts.number(title, found),
        "unit_id": found.number("organisation", over) if over else None,
        "area": area,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
    }
    found.insert("portfolio", values)
