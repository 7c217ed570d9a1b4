"""The table of an organisation tree: code, name, level, parent_code (CSV)."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from documents.fault import Fault
from policy.sanitise import findings
from policy.tree import looped

LARGEST = 64 * 1024 * 1024
COLUMNS = {"code": "编码", "name": "名称", "level": "层级", "parent_code": "上级编码"}
RANKS = {"中央": 0, "省": 1, "市": 2, "区": 3, "县": 3, "街镇": 4, "居村": 5}
"""Levels of the territory; each row stands below its parent."""
UNIT = "企事业"
"""May stand below any level; only 企事业 may stand below it."""
_NO_TEXT = (b"PK", b"\xd0\xcf")
"""How workbooks begin."""
_LONGEST_NAME = 60
_LONGEST_CODE = 32


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One row; ``number`` is its row in the file, for the error text. No parent_code: a root."""

    number: int
    code: str
    name: str
    level: str
    parent_code: str


def read_tree(data: bytes) -> tuple[list[TreeRow], list[Fault]]:
    """The rows of a CSV (UTF-8 with or without BOM, or GB18030) and the faults of its form.

    The header may name the columns in English or in Chinese; other columns are not read.
    """
    text = _decoded(data)
    if text is None:
        return [], [_fault(0, "", "文件不是 UTF-8 或 GB18030 编码的 CSV，或者超过 64 MB")]
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return [], [_fault(0, "", "文件不是完整的 CSV，请检查引号和换行")]
    places, faults = _header(table[0] if table else [])
    if faults:
        return [], faults
    return _rows(table, places)


def is_tree(data: bytes) -> bool:
    """Whether a file is meant for :func:`read_tree`: its four columns, and none of kinds."""
    text = _decoded(data) if not data.startswith(_NO_TEXT) else None
    try:
        first = next(csv.reader(io.StringIO(text or "", newline="")), [])
    except csv.Error:
        return False
    names = {name.strip() for name in first}
    return bool(names & set(COLUMNS)) or (names >= set(COLUMNS.values()) and "类别" not in names)


def check_tree(rows: Sequence[TreeRow], known: Mapping[str, str]) -> list[Fault]:
    """What is wrong with the rows as a tree; ``known`` gives the levels of codes already kept."""
    faults = [fault for row in rows for fault in _own_faults(row)]
    first: dict[str, TreeRow] = {}
    for row in rows:
        if row.code and first.setdefault(row.code, row) is not row:
            message = f"编码 {row.code} 与第 {first[row.code].number} 行重复"
            faults.append(_fault(row.number, "code", message))
    circle = looped({code: row.parent_code for code, row in first.items()})
    for row in rows:
        faults.extend(_parent_faults(row, first, known, circle))
    return sorted(faults)


def parents_first(rows: Sequence[TreeRow]) -> list[TreeRow]:
    """The rows of a checked tree, every parent before its children, otherwise as in the file."""
    by_parent: dict[str, list[TreeRow]] = {}
    codes = {row.code for row in rows}
    for row in rows:
        parent = row.parent_code if row.parent_code in codes else ""
        by_parent.setdefault(parent, []).append(row)
    ordered = list(by_parent.get("", ()))
    for row in ordered:  # grows while it is walked: level by level
        ordered.extend(by_parent.get(row.code, ()))
    return ordered


def _decoded(data: bytes) -> str | None:
    if len(data) > LARGEST:
        return None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _header(header: Sequence[str]) -> tuple[dict[str, int], list[Fault]]:
    names = [name.strip() for name in header]
    places = {}
    faults = []
    for column, chinese in COLUMNS.items():
        found = [n for n, name in enumerate(names) if name in (column, chinese)]
        if len(found) == 1:
            places[column] = found[0]
        else:
            message = "表头有两个这一列" if found else f"表头缺少这一列（{column}）"
            faults.append(_fault(1, column, message))
    return places, faults


def _rows(
    table: Sequence[Sequence[str]], places: Mapping[str, int]
) -> tuple[list[TreeRow], list[Fault]]:
    rows, faults = [], []
    for number, cells in enumerate(table[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(table[0]) :]):
            faults.append(_fault(number, "", "这一行的列数比表头多，请检查逗号"))
        texts = {c: cells[n].strip() if n < len(cells) else "" for c, n in places.items()}
        rows.append(TreeRow(number, **texts))
    if not rows and not faults:
        faults.append(_fault(0, "", "文件中没有数据行"))
    return rows, faults


def _own_faults(row: TreeRow) -> Iterator[Fault]:
    if not row.code:
        yield _fault(row.number, "code", "编码不能为空")
    elif len(row.code) > _LONGEST_CODE or not _is_code(row.code):
        yield _fault(row.number, "code", "编码只能用字母、数字、“-”和“_”，最长 32 个字符")
    if not row.name:
        yield _fault(row.number, "name", "名称不能为空")
    elif len(row.name) > _LONGEST_NAME or not row.name.isprintable():
        yield _fault(row.number, "name", f"名称最长 {_LONGEST_NAME} 个字，且不能有换行等控制字符")
    elif noticed := findings(row.name):
        yield _fault(row.number, "name", noticed[0].reason)
    if row.level not in RANKS and row.level != UNIT:
        known = "、".join((*RANKS, UNIT))
        yield _fault(row.number, "level", f"没有“{row.level}”这个层级，应为：{known}")


def _is_code(code: str) -> bool:
    return code.isascii() and code.replace("-", "").replace("_", "").isalnum()


def _parent_faults(
    row: TreeRow, first: Mapping[str, TreeRow], known: Mapping[str, str], circle: set[str]
) -> Iterator[Fault]:
    if not row.parent_code:
        return
    parent = first.get(row.parent_code)
    level = parent.level if parent else known.get(row.parent_code)
    if level is None:
        message = f"文件和系统中都没有编码为 {row.parent_code} 的上级"
        yield _fault(row.number, "parent_code", message)
    elif row.code in circle:
        yield _fault(row.number, "parent_code", "上级关系成环：这一行是自己的上级的上级")
    elif not _stands_below(row.level, level):
        message = f"“{row.level}”不能放在“{level}”之下"
        yield _fault(row.number, "parent_code", message)


def _stands_below(level: str, parent: str) -> bool:
    if level == UNIT or level not in RANKS:
        return True
    if parent == UNIT:
        return False
    return parent not in RANKS or RANKS[parent] < RANKS[level]


def _fault(row: int, column: str, message: str) -> Fault:
    return Fault("", row, COLUMNS.get(column, column), message)
