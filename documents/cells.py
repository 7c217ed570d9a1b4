"""What a cell means in its column: read as it is, forgiven and told, or wrong.

The forms that are forgiven are those that mean one thing only; a text that could be two dates, or
a number that a spreadsheet has rounded, is wrong.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

from documents.book import Cell, NoValue
from documents.column import Column, Kind
from documents.xlsx_sheet import moment_of
from policy.sanitise import Level, findings

Value = str | int | date | tuple[str, ...] | None
"""By kind: TEXT, NAME, CODE, CHOICE give str, NUMBER int, NAMES a tuple, DAY a date or None."""

EARLIEST, LATEST = 2000, 2100
_EXACT_DIGITS = 15
_EXAMPLE = "应写作 2026年3月1日 或 2026-3-1"
_BLANKS, _WIDTH, _BRACKETS = "去掉多余的空格、换行", "全角字符改为半角", "括号统一为全角"
_HALF = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B))}
_HALF |= {code: code - 0xFEE0 for code in range(0xFF41, 0xFF5B)}
_FULL_BRACKETS = {ord("("): "（", ord(")"): "）"}
_QUOTES = dict.fromkeys(map(ord, "“”\"'「」『』＂‘’"))
_DASHES = dict.fromkeys(map(ord, "—–−‐‑‒－"), "-")
_PARTING = re.compile(r"[ \t\u3000]*[、，,；;][\s\u3000]*|[ \t\u3000]*\n[\s\u3000]*")
_DAY = re.compile(r"([0-9]{4})(?:年|[-./])([0-9]{1,2})(?:月|[-./])([0-9]{1,2})日?")
_DAY_TOGETHER = re.compile(r"(20[0-9]{2})([0-9]{2})([0-9]{2})")
_MIDNIGHT = re.compile(r"[T ]?0{1,2}:00(:00)?(\.0+)?$")
_ORDINAL = re.compile(r"[0-9]{1,9}(?:\.0*)?")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: ``wrong`` or a ``value``; ``why`` tells what was forgiven, empty: nothing.
    ``notice``: what the gate for texts noticed in prose, for people to confirm."""

    value: Value = None
    wrong: str = ""
    why: str = ""
    notice: str = ""


def written(cell: Cell) -> str:
    """A cell as its user sees it, near enough to find it again."""
    if cell is None or isinstance(cell, NoValue):
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return f"{cell:.15g}"
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return shown(cell)
    return str(cell)


def shown(value: Value) -> str:
    """A value as the user is told it."""
    if isinstance(value, date):
        return value.isoformat()
    return "、".join(value) if isinstance(value, tuple) else str(value or "")


def is_blank(cell: Cell) -> bool:
    """Whether nothing can be seen in a cell."""
    if not isinstance(cell, str):
        return cell is None
    return not cell.strip() or not (cell.isprintable() or _visible(cell).strip())


def same(text: str) -> str:
    """A header or a choice without what people write differently and mean alike."""
    plain = unicodedata.normalize("NFKC", _visible(text)).translate(_QUOTES).translate(_DASHES)
    return "".join(plain.split()).strip("*:").casefold()


def read_cell(cell: Cell, column: Column, *, epoch_1904: bool = False) -> Reading:
    """What a cell means in a column."""
    if isinstance(cell, NoValue):
        return Reading(wrong=cell.why)
    if is_blank(cell):
        return Reading() if column.blank else Reading(wrong="不能为空")
    if column.kind is Kind.DAY:
        return _day(cell, epoch_1904=epoch_1904)
    if column.kind is Kind.NUMBER:
        return _number(cell)
    wrong = _no_text(cell)
    return Reading(wrong=wrong) if wrong else _TEXTS[column.kind](written(cell), column)


def _no_text(cell: Cell) -> str:
    if isinstance(cell, date | time):
        return "这里是日期，应为文字：请把单元格设为文本格式，再重新填写"
    if isinstance(cell, bool):
        return "应为文字"
    if isinstance(cell, int | float) and abs(cell) >= 10**_EXACT_DIGITS:
        return f"超过 {_EXACT_DIGITS} 位的数字已被改动末位：请把单元格设为文本格式，再重新填写"
    return ""


def _prose(raw: str, column: Column) -> Reading:
    plain = _visible(raw)
    lines = (line.strip() for line in plain.split("\n"))
    spaced = "\n".join(line for line in lines if line)
    return _checked(raw, spaced, spaced.translate(_HALF), column)


def _name(raw: str, column: Column) -> Reading:
    return _checked(raw, *_one_name(raw), column)


def _one_name(raw: str) -> tuple[str, str]:
    """The name without stray blanks, and the same in one width."""
    parts = _visible(raw).split()
    spaced = "".join(parts) if any(c > "\u2e7f" for c in raw) else " ".join(parts)
    narrow = spaced.translate(_HALF)
    wide = any("\u4e00" <= c <= "\u9fff" for c in narrow)
    return spaced, narrow.translate(_FULL_BRACKETS) if wide else narrow


def _code(raw: str, column: Column) -> Reading:
    spaced = "".join(_visible(raw).split())
    narrow = unicodedata.normalize("NFKC", spaced).translate(_DASHES)
    return _checked(raw, spaced, narrow, column)


def _names(raw: str, column: Column) -> Reading:
    plain = _visible(raw).strip()
    parts = [_one_name(part) for part in _PARTING.split(plain)]
    if "\n" in plain and any(len(spaced) == 1 for spaced, _ in parts):
        parts = [_one_name(part) for part in _PARTING.split("".join(plain.split()))]
    names = tuple(dict.fromkeys(name for _, name in parts if name))
    if len(names) != len(parts):
        return Reading(wrong="有空缺或重复的名称，请检查顿号")
    joined = "、".join(names)
    found = _checked(raw, "、".join(spaced for spaced, _ in parts), joined, column)
    if found.wrong:
        return found
    parted = _PARTING.search(plain) is not None and _PARTING.sub("、", plain) != plain
    return Reading(names, why="名称之间改用顿号" if parted else found.why)


def _choice(raw: str, column: Column) -> Reading:
    said = same(raw)
    for choice in column.choices:
        if raw == choice:
            return Reading(choice)
    for choice in column.choices:
        if said == same(choice):
            return Reading(choice, why="写法统一")
    return Reading(wrong=f"没有这一项，应为：{'、'.join(column.choices)}")


_TEXTS: Mapping[Kind, Callable[[str, Column], Reading]] = {
    Kind.TEXT: _prose,
    Kind.NAME: _name,
    Kind.NAMES: _names,
    Kind.CODE: _code,
    Kind.CHOICE: _choice,
}


def _checked(raw: str, spaced: str, narrow: str, column: Column) -> Reading:
    """The text through the gate; what was forgiven is told by what changed."""
    wrong = _unfit(narrow, column.longest)
    noticed = findings(narrow) if not wrong else ()
    if noticed and (noticed[0].level is Level.BLOCK or column.kind is not Kind.TEXT):
        wrong = noticed[0].reason
    if wrong:
        return Reading(wrong=wrong)
    why = []
    if spaced != raw.replace("\r\n", "\n"):
        why.append(_BLANKS)
    if narrow != spaced:
        why.append(_BRACKETS if _only_brackets(spaced, narrow) else _WIDTH)
    kept = raw if narrow == raw else narrow  # one text, kept once
    return Reading(kept, why="；".join(why), notice=noticed[0].reason if noticed else "")


def _only_brackets(before: str, after: str) -> bool:
    return before.translate(_FULL_BRACKETS) == after


def _unfit(text: str, longest: int) -> str:
    if len(text) > longest:
        return f"最长 {longest} 个字，现有 {len(text)} 个字"
    if any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") and c != "\n" for c in text):
        return "含有控制字符，请重新输入"
    return ""


def _visible(text: str) -> str:
    """NFC, without characters that have no width; other blanks and line ends as the usual ones."""
    plain = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    if plain.isascii() or plain.isprintable():
        return plain
    plain = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return plain.replace("\xa0", " ").replace("\u2028", "\n").replace("\u2029", "\n")


def _number(cell: Cell) -> Reading:
    why = ""
    if isinstance(cell, str):
        plain = unicodedata.normalize("NFKC", _visible(cell))
        digits = "".join(plain.split()).rstrip("、.")
        if not _ORDINAL.fullmatch(digits):
            return Reading(wrong="应为序号（1、2、3 …）")
        why = "" if digits == cell else "序号改为数字"
        cell = float(digits)
    if isinstance(cell, bool) or not isinstance(cell, int | float) or cell != cell // 1:
        return Reading(wrong="应为序号（1、2、3 …）")
    if not 1 <= cell <= 99_999:
        return Reading(wrong="序号应从 1 开始，最大 99999")
    return Reading(int(cell), why=why)


def _day(cell: Cell, *, epoch_1904: bool) -> Reading:
    why = ""
    if isinstance(cell, str):
        cell, why = _day_of(cell, epoch_1904=epoch_1904)
    elif isinstance(cell, int | float) and not isinstance(cell, bool):
        cell, why = moment_of(cell, epoch_1904=epoch_1904), "日期序号改为日期"
    if isinstance(cell, datetime):
        if cell.time() != time():
            return Reading(wrong=f"带有时间，应只有日期，{_EXAMPLE}")
        cell = cell.date()
    if not isinstance(cell, date):
        return Reading(wrong=f"不是日期，{_EXAMPLE}")
    if not EARLIEST <= cell.year <= LATEST:
        return Reading(wrong=f"年份应在 {EARLIEST} 至 {LATEST} 之间")
    return Reading(cell, why=why)


def _day_of(text: str, *, epoch_1904: bool) -> tuple[date | datetime | None, str]:
    """The day that a text names, None when it is none or could be another; and the rule."""
    plain = unicodedata.normalize("NFKC", _visible(text)).strip()
    plain = "".join(_MIDNIGHT.sub("", plain).split()).translate(_DASHES)
    if plain.isascii() and plain.isdigit() and len(plain) == 5:
        return moment_of(int(plain), epoch_1904=epoch_1904), "日期序号改为日期"
    found = _DAY.fullmatch(plain) or _DAY_TOGETHER.fullmatch(plain)
    if found is None:
        return None, ""
    try:
        return date(*(int(part) for part in found.groups())), "文字改为日期"
    except ValueError:
        return None, ""
