"""The sheet 组织 against what is there: new units, new names, levels and kinds; no moves."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from documents.organisation_file import UNITS, UnitRow
from documents.tree import RANKS
from models.batch import LineAct
from models.organisation import Level, OrganisationKind
from policy.subjects import SUBJECTS
from policy.tree import looped
from services.batches.difference import Difference, Line, Update, changed, made
from services.batches.units import Unit, Units
from services.establishment import LEVELS

_SIGNS = "-_."


def compare_units(units: Units, rows: Sequence[UnitRow], found: Difference, on: date) -> None:
    """Add what the sheet changes, and what is wrong in it, to ``found``.

    ``on`` is the first day of a new name; the old one stays in history.
    """
    now = _known_parents(units)
    parents = now | _wanted_parents(units, rows, found)
    circle, below = looped(parents), _known_below(units, now)
    for row in rows:
        if not row.code or units.rows[row.code] is not row:
            continue
        parent = parents.get(row.code, "")
        moves = bool(row.parent) and parent != now.get(row.code)
        if moves and row.code in circle:
            found.fault(UNITS, row.row, "上级", "上级关系成环：这一行是自己的上级的上级")
        elif row.code in units.taken or not units.mine(row.code):
            found.fault(UNITS, row.row, "编码", "这个编码已被其他组织使用，请换一个")
        elif row.code not in units.known:
            _add(units, row, parent, found)
        elif moves:
            _refuse_move(units, row, now.get(row.code), found)
        else:
            _compare(units, row, parent, found, on)
            _check_below(units, row, below[row.code], found)
            _check_ties(units, row, found)


def _known_below(units: Units, parents: Mapping[str, str]) -> dict[str, list[str]]:
    """Units that stand below another and have no row of their own, which would be looked at."""
    below = defaultdict(list)
    for code, parent in parents.items():
        if code not in units.rows:
            below[parent].append(code)
    return below


def _check_below(units: Units, row: UnitRow, below: Sequence[str], found: Difference) -> None:
    """What stays below a unit may stand below its new level."""
    level = units.level(row.code)
    if level is None or level is units.known[row.code].level:
        return
    for code in below:
        lower = units.known[code].level
        if not _stands(lower, level):
            message = f"改为“{row.level}”后，“{units.short_name(code)}”（{lower}）不能在它之下"
            found.fault(UNITS, row.row, "层级", message)
            return


def _check_ties(units: Units, row: UnitRow, found: Difference) -> None:
    """Whoever has, or is, a discipline organ stays one that fits (R6-2)."""
    for tie in units.ties:
        if row.code not in (tie.organ, tie.served):
            continue
        organ = units.kind(tie.organ) if tie.organ in units.rows else tie.organ_kind
        served = units.kind(tie.served) if tie.served in units.rows else tie.served_kind
        subjects = SUBJECTS.get(str(served or ""))
        if subjects is not None and str(organ or "") not in subjects.discipline:
            message = (
                f"“{tie.organ_name}”现为“{tie.served_name}”的纪检机构，改为“{row.kind}”后不符；"
                "请先在“组织关系”中填写终止日期"
            )
            found.fault(UNITS, row.row, "类别", message)
            return


def _known_parents(units: Units) -> dict[str, str]:
    """The parent's code of every unit that is there and has one that is known."""
    ids = {unit.id: code for code, unit in units.known.items()}
    parents = {}
    for code, unit in units.known.items():
        above = [int(part) for part in unit.path.split("/") if part][-2:-1]
        if above and above[0] in ids:
            parents[code] = ids[above[0]]
    return parents


def _wanted_parents(units: Units, rows: Sequence[UnitRow], found: Difference) -> dict[str, str]:
    """The parent's code of every row that names one; what is wrong with code or parent."""
    parents = {}
    for row in rows:
        _check_code(units, row, found)
        if not row.parent:
            continue
        parent, wrong = units.find(row.parent, mine=row.code not in units.known)
        if wrong:
            found.fault(UNITS, row.row, "上级", wrong)
        elif row.code and units.rows[row.code] is row:
            parents[row.code] = parent
    return parents


def _check_code(units: Units, row: UnitRow, found: Difference) -> None:
    if not row.code:
        return
    plain = "".join(letter for letter in row.code if letter not in _SIGNS)
    if not (row.code.isascii() and plain.isalnum()):
        message = "编码只能用字母、数字、“-”、“_”和“.”"
        found.fault(UNITS, row.row, "编码", message)
    first = units.rows[row.code]
    if first is not row:
        message = f"编码 {row.code} 与第 {first.row} 行重复"
        found.fault(UNITS, row.row, "编码", message)


def _refuse_move(units: Units, row: UnitRow, now: str | None, found: Difference) -> None:
    """Moving has consequences that an import does not show: who oversees what is open."""
    called = units.short_name(now) if now else "没有上级"
    message = f"现在的上级是“{called}”，导入不移动组织，请在组织页面办理移动"
    found.fault(UNITS, row.row, "上级", message)


def _compare(units: Units, row: UnitRow, parent: str, found: Difference, on: date) -> None:
    unit = units.known[row.code]
    level = LEVELS.get(row.level, unit.level)
    _check_level(units, row, parent, level, found)
    renamed, before, after = changed(
        (
            ("name", "名称", unit.name, row.name or unit.name),
            ("short_name", "简称", unit.short_name, _short(unit, row)),
        )
    )
    other, *more = changed(
        (
            ("level", "层级", unit.level, level),
            ("kind", "类别", unit.kind, OrganisationKind(row.kind) if row.kind else unit.kind),
        )
    )
    fields = (*renamed, *other)
    act = LineAct.CHANGED if fields else LineAct.UNCHANGED
    found.lines.add(Line(UNITS, row.row, act, _called(row.name, row.code), fields))
    if fields:
        update = Update("organisation", unit.id, before | more[0], after | more[1])
        found.updates.append(update)
    if renamed:
        found.insert("former_organisation", _former(unit, parent, found, on))


def _short(unit: Unit, row: UnitRow) -> str:
    """A short name that was the full one goes with it."""
    if row.short_name:
        return row.short_name
    return row.name if row.name and unit.short_name == unit.name else unit.short_name


def _former(unit: Unit, parent: str, found: Difference, on: date) -> dict[str, Any]:
    return {
        "organisation_id": unit.id,
        "name": unit.name,
        "short_name": unit.short_name,
        "parent_id": found.number("organisation", parent) if parent else None,
        "ends_on": on,
    }


def _add(units: Units, row: UnitRow, parent: str, found: Difference) -> None:
    level = LEVELS.get(row.level)
    if not row.parent and units.under is not None:
        message = "新的组织应有上级，并且在您的组织之下"
        found.fault(UNITS, row.row, "上级", message)
    if level is None or not row.kind or not row.name:
        return  # the reader has named it
    _check_level(units, row, parent, level, found)
    above = units.short_name(parent) if parent else ""
    fields = made(
        ("名称", row.name),
        ("简称", row.short_name),
        ("层级", level),
        ("类别", row.kind),
        ("上级", above),
    )
    found.lines.add(Line(UNITS, row.row, LineAct.NEW, _called(row.name, row.code), fields))
    values = {
        "code": row.code,
        "name": row.name,
        "short_name": row.short_name or row.name,
        "level": level,
        "kind": OrganisationKind(row.kind),
        "parent_id": found.number("organisation", parent) if parent else None,
    }
    found.insert("organisation", values, row.code)


def _check_level(units: Units, row: UnitRow, parent: str, level: Level, found: Difference) -> None:
    """Nothing stands above its parent; below a 企事业 only 企事业."""
    above = units.level(parent) if parent else None
    if above is not None and not _stands(level, above):
        message = f"“{row.level}”不能放在“{above}”之下"
        found.fault(UNITS, row.row, "层级", message)


def _stands(level: Level, above: Level) -> bool:
    return level is Level.UNIT or (above is not Level.UNIT and RANKS[level] >= RANKS[above])


def _called(name: str, code: str) -> str:
    return f"{name}（{code}）"
