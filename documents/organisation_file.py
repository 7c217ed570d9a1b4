"""The workbook of an organisation: 组织, 职务, 任职, 分管, 组织关系, any of the five sheets.

Units are named by their code or by a name that only one has; posts by unit and title.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from documents.book import Book, Sheet, Unreadable
from documents.cells import same
from documents.column import Column, Kind
from documents.fault import Change, Fault
from documents.header import SCANNED, find_header
from documents.merged import spread
from documents.reading import read_book
from documents.sheet_table import Table, TableRow, left_out, table
from documents.tree import is_tree
from policy.areas import AREAS, area_number

UNITS, POSTS, TERMS, CHARGES, RELATIONS = "组织", "职务", "任职", "分管", "组织关系"
_UNIT = "组织的编码，或者唯一的名称"
_TREE = (
    "这是四列的组织树 CSV，只能由运维人员用 fourduties org import 导入；"
    "在这里导入请下载模板，把组织填在“组织”表中"
)
_KINDS = (
    "党委",
    "党组",
    "纪委",
    "派驻机构",
    "组织部",
    "宣传部",
    "巡察办",
    "党委办",
    "领导小组",
    "工作机关",
    "企事业党组织",
)
_LEVELS = ("中央", "省", "市", "区", "县", "街镇", "居村", "企事业")
_POST_KINDS = ("书记", "班子成员", "负责人", "联络员", "系统运维员")
_RELATIONS = (
    "纪检机构",
    "上级纪检机构",
    "组织部门",
    "宣传部门",
    "巡视巡察机构",
    "党委办公机构",
    "巡视巡察工作领导小组",
)
_FROM_TO = (
    Column("起始日期", Kind.DAY, says="从这一天起"),
    Column("终止日期", Kind.DAY, blank=True, needed=False, says="从这一天起不再；现行的不填"),
)
_HOLDER = (
    Column("组织", Kind.NAME, also=("单位",), says=_UNIT),
    Column("职务", Kind.NAME, also=("职务名称",), says="“职务”表中的职务名称"),
)
SHEETS: Mapping[str, tuple[Column, ...]] = {
    UNITS: (
        Column("编码", Kind.CODE, longest=64, also=("组织编码",), says="字母、数字、“-”“_”“.”"),
        Column("名称", Kind.NAME, also=("组织名称",), says="全称"),
        Column("简称", Kind.NAME, blank=True, needed=False, says="不填即同全称"),
        Column("层级", Kind.CHOICE, choices=_LEVELS, says="从下拉列表选择"),
        Column("类别", Kind.CHOICE, choices=_KINDS, says="从下拉列表选择"),
        Column("上级", Kind.NAME, blank=True, also=("上级编码", "上级组织"), says=_UNIT),
    ),
    POSTS: (
        Column("组织", Kind.NAME, also=("单位",), says=_UNIT),
        Column("职务名称", Kind.NAME, also=("职务",), says="同一组织内不重复"),
        Column("类别", Kind.CHOICE, choices=_POST_KINDS, says="从下拉列表选择"),
        Column("排序", Kind.NUMBER, says="1 为主要负责人，只能有一个"),
    ),
    TERMS: (
        *_HOLDER,
        Column("人员", Kind.NAME, also=("姓名",), says="任职的人"),
        Column(
            "人员编号",
            Kind.CODE,
            blank=True,
            needed=False,
            longest=32,
            also=("工号",),
            says="一人在几个组织任职、或者同名时必填；不填身份证号",
        ),
        Column("任职日期", Kind.DAY, says="从这一天起任职"),
        Column("免职日期", Kind.DAY, blank=True, needed=False, says="从这一天起不再任职"),
    ),
    CHARGES: (
        *_HOLDER,
        Column("分管单位", Kind.NAME, blank=True, says=f"{_UNIT}；分管全部单位的某一领域时不填"),
        Column("分管领域", Kind.CHOICE, blank=True, choices=AREAS, says="七个方面之一，或不填"),
        *_FROM_TO,
    ),
    RELATIONS: (
        Column("机构", Kind.NAME, says=_UNIT),
        Column("关系", Kind.CHOICE, choices=_RELATIONS, says="机构是后一组织的什么"),
        Column("服务组织", Kind.NAME, also=("组织",), says=_UNIT),
        *_FROM_TO,
    ),
}
"""The columns of each sheet, in the order in which a workbook has them."""


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit; ``parent`` is a code or a name, empty for a root or for one that stays."""

    row: int = field(compare=False)
    code: str
    name: str
    short_name: str
    level: str
    kind: str
    parent: str


@dataclass(frozen=True, slots=True)
class PostRow:
    """A post of a unit; ``rank`` 0 leads it."""

    row: int = field(compare=False)
    unit: str
    title: str
    kind: str
    rank: int


@dataclass(frozen=True, slots=True)
class TermRow:
    """Somebody holds a post from a day until the day before another."""

    row: int = field(compare=False)
    unit: str
    title: str
    person: str
    person_code: str
    starts_on: date | None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """A post is in charge (分管) of a unit, an area (1–7), or both."""

    row: int = field(compare=False)
    unit: str
    title: str
    over: str
    area: int | None
    starts_on: date | None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class RelationRow:
    """``organ`` is the ``kind`` (in Chinese) of ``served``."""

    row: int = field(compare=False)
    organ: str
    kind: str
    served: str
    starts_on: date | None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class OrganisationFile:
    """What a file says, everything that is wrong with its form, and what was read otherwise.

    Rows with faults are among the rows, with empty values; use them only without faults.
    """

    units: tuple[UnitRow, ...] = ()
    posts: tuple[PostRow, ...] = ()
    terms: tuple[TermRow, ...] = ()
    charges: tuple[ChargeRow, ...] = ()
    relations: tuple[RelationRow, ...] = ()
    faults: tuple[Fault, ...] = ()
    changes: tuple[Change, ...] = ()


def read_organisation_file(data: bytes, filename: str = "") -> OrganisationFile:
    """The sheets of a workbook, or the one of a CSV, which its header tells."""
    if is_tree(data):
        return OrganisationFile(faults=(Fault("", 0, "", _TREE),))
    try:
        book = read_book(data, filename)
    except Unreadable as error:
        return OrganisationFile(faults=(Fault("", 0, "", str(error)),))
    chosen = _chosen(book)
    if not chosen:
        wanted = "、".join(f"“{name}”" for name in SHEETS)
        message = f"没有找到要读的工作表，应至少有其中一张：{wanted}"
        return OrganisationFile(faults=(Fault("", 0, "", message),))
    found: dict[str, Table] = {}
    rows: dict[str, tuple[Any, ...]] = {}
    for name, sheets in chosen.items():
        found[name] = _table(name, sheets)
        rows[name] = _rows(found[name], sheets, _READ[name])
    return OrganisationFile(
        rows.get(UNITS, ()),
        rows.get(POSTS, ()),
        rows.get(TERMS, ()),
        rows.get(CHARGES, ()),
        rows.get(RELATIONS, ()),
        tuple(sorted(fault for one in found.values() for fault in (*one.faults, *one.notices))),
        tuple(_changes(book, found)),
    )


def _chosen(book: Book) -> dict[str, list[Sheet]]:
    """The sheets for each name: exactly so called, else like it, else told by the header."""
    seen = [sheet for sheet in book.sheets if not sheet.hidden]
    called: dict[str, list[Sheet]] = defaultdict(list)
    for sheet in seen:
        like = [name for name in SHEETS if name in same(sheet.name)]
        if like:
            called[max(like, key=len)].append(sheet)
    for name, sheets in called.items():
        exact = [sheet for sheet in sheets if same(sheet.name) == name]
        called[name] = exact or sheets
    filled = [sheet for sheet in seen if sheet.rows]
    if called or len(filled) != 1:
        return {name: called[name] for name in SHEETS if name in called}
    name = _told_by_header(filled[0])
    return {name: filled} if name else {}


def _told_by_header(sheet: Sheet) -> str:
    top = [line.whole() for line in islice(spread(sheet), SCANNED)]
    rank = {}
    for name, columns in SHEETS.items():
        header = find_header(top, columns)
        known = len(header.places) if header else 0
        rank[name] = (known - len(columns), known) if 2 * known >= len(columns) else (-99, 0)
    best = max(rank, key=lambda name: rank[name])
    return best if rank[best][1] else ""


def _table(name: str, sheets: list[Sheet]) -> Table:
    found = table(Book(sheets[:1]), name, SHEETS[name])
    if len(sheets) > 1:
        both = "、".join(f"“{sheet.name}”" for sheet in sheets)
        found.fault(0, "", f"有几张工作表都像“{name}”：{both}，请留一张")
    if not found.rows and not found.faults:
        found.fault(0, "", "没有数据行")
    return found


def _changes(book: Book, found: Mapping[str, Table]) -> Iterator[Change]:
    yield from (change for one in found.values() for change in one.changes)
    yield from left_out(book, [one.sheet for one in found.values()])


def _rows(found: Table, sheets: list[Sheet], read: Callable[[TableRow], Any]) -> tuple[Any, ...]:
    """The rows of a sheet; what they were read from is let go before the next sheet is read."""
    rows = tuple(read(row) for row in found.rows)
    found.rows.clear()
    for sheet in sheets:
        sheet.rows.clear()
    return rows


def _unit(row: TableRow) -> UnitRow:
    texts = (row.text(name) for name in ("编码", "名称", "简称", "层级", "类别", "上级"))
    return UnitRow(row.number, *texts)


def _post(row: TableRow) -> PostRow:
    rank = row.number_in("排序") - 1
    return PostRow(row.number, row.text("组织"), row.text("职务名称"), row.text("类别"), rank)


def _term(row: TableRow) -> TermRow:
    unit, title, person, code = (row.text(n) for n in ("组织", "职务", "人员", "人员编号"))
    days = row.day("任职日期"), row.day("免职日期")
    return TermRow(row.number, unit, title, person, code, *days)


def _charge(row: TableRow) -> ChargeRow:
    return ChargeRow(
        row.number,
        row.text("组织"),
        row.text("职务"),
        row.text("分管单位"),
        area_number(row.text("分管领域")),
        row.day("起始日期"),
        row.day("终止日期"),
    )


def _relation(row: TableRow) -> RelationRow:
    organ, kind, served = (row.text(name) for name in ("机构", "关系", "服务组织"))
    return RelationRow(row.number, organ, kind, served, row.day("起始日期"), row.day("终止日期"))


_READ: Mapping[str, Callable[[TableRow], Any]] = {
    UNITS: _unit,
    POSTS: _post,
    TERMS: _term,
    CHARGES: _charge,
    RELATIONS: _relation,
}
