"""The sheet 组织关系 against what is there: which organ is what to which organisation."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from documents.organisation_file import RELATIONS, RelationRow
from models.batch import LineAct
from models.organisation import RelationKind
from policy.subjects import SUBJECTS
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
from services.batches.known import Known, KnownRelation
from services.batches.units import Units
from services.posts import ORGAN_NAMES

_KINDS = {name: kind for kind, name in ORGAN_NAMES.items()}
ELSEWHERE = "已撤销或不在您范围内的机构"
"""What an organ is called that is closed, or not the importer's to see."""
_Served = tuple[str, RelationKind]
"""The code of the organisation that is served, and as what."""


def compare_relations(
    units: Units, known: Known, rows: Sequence[RelationRow], found: Difference
) -> None:
    """Add what the sheet changes, and what is wrong in it, to ``found``."""
    codes = {unit.id: code for code, unit in units.known.items()}
    there = {
        ((code, kind), codes.get(one.organ, f"#{one.organ}"), one.starts_on): one
        for code, kind, one in known.relations()
    }
    terms: dict[_Served, list[Dated]] = defaultdict(list)
    seen: dict[tuple[_Served, str, date], int] = {}
    for row in rows:
        ends = _ends(units, row, found)
        if ends is None or row.starts_on is None:
            continue
        served, organ = ends
        first = seen.setdefault((served, organ, row.starts_on), row.row)
        if first != row.row:
            found.fault(RELATIONS, row.row, "起始日期", f"与第 {first} 行重复")
            continue
        same = there.pop((served, organ, row.starts_on), None)
        label = units.short_name(organ)
        terms[served].append(Dated(Term(row.starts_on, row.ends_on), row.row, label))
        _line(units, served, organ, row, same, found)
    for (served, organ, _), one in there.items():
        if served in terms:
            label = units.short_name(organ) if one.organ in codes else ELSEWHERE
            terms[served].append(Dated(Term(one.starts_on, one.ends_on), 0, label))
    for (code, kind), of_kind in terms.items():
        for mine, other in overlapping(of_kind):
            message = (
                f"“{units.short_name(code)}”同一时间只能有一个{ORGAN_NAMES[kind]}："
                f"与{other.place}“{other.label}”自 {other.term.starts_on} 起的日期重叠，"
                "请先填写其终止日期"
            )
            found.fault(RELATIONS, mine.row, "起始日期", message)


def _ends(units: Units, row: RelationRow, found: Difference) -> tuple[_Served, str] | None:
    """Who is served as what, and by whom; None after a fault."""
    organ = served = ""
    wrong = served_wrong = ""
    if row.organ:
        organ, wrong = units.find(row.organ, mine=False)
    if row.served:
        served, served_wrong = units.find(row.served)
    kind = _KINDS.get(row.kind)
    if organ and served:
        wrong = _unfit(units, organ, served, kind)
    dates = ""
    if row.starts_on is not None and Term(row.starts_on, row.ends_on).reversed:
        dates = "终止日期应在起始日期之后"
    for column, message in (("机构", wrong), ("服务组织", served_wrong), ("终止日期", dates)):
        if message:
            found.fault(RELATIONS, row.row, column, message)
    right = organ and served and kind and not (wrong or dates)
    return ((served, kind), organ) if right and kind else None


def _unfit(units: Units, organ: str, served: str, kind: RelationKind | None) -> str:
    """Why an organ cannot be this to that organisation (R6-2), or ``""``."""
    if organ == served:
        return "机构和服务组织不能是同一个"
    subjects = SUBJECTS.get(str(units.kind(served) or ""))
    if kind is not RelationKind.DISCIPLINE or subjects is None:
        return ""
    if (units.kind(organ) or "") in subjects.discipline:
        return ""
    wanted = "或".join(subjects.discipline)
    return f"“{units.short_name(served)}”的纪检机构应为{wanted}"


def _line(
    units: Units,
    served: _Served,
    organ: str,
    row: RelationRow,
    same: KnownRelation | None,
    found: Difference,
) -> None:
    code, kind = served
    what = f"{units.short_name(organ)}　是{units.short_name(code)}的{ORGAN_NAMES[kind]}"
    if same is not None:
        act = term_act(same.ends_on, row.ends_on)
        fields, before, after = changed((("ends_on", "终止日期", same.ends_on, row.ends_on),))
        if fields:
            found.updates.append(Update("relation", same.id, before, after))
        found.lines.add(Line(RELATIONS, row.row, act, what, fields))
        return
    fields = made(("起始日期", row.starts_on), ("终止日期", row.ends_on))
    found.lines.add(Line(RELATIONS, row.row, LineAct.NEW, what, fields))
    values = {
        "kind": kind,
        "organ_id": found.number("organisation", organ),
        "served_id": found.number("organisation", code),
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
    }
    found.insert("relation", values)
