"""What is wrong in a file somebody sent, and where they find it; what was read otherwise."""

import unicodedata
from dataclasses import dataclass

_NO_TEXT = frozenset(("Cc", "Cs", "Co", "Cn"))
"""Characters that nobody sees and some databases refuse: controls, half a pair, none at all."""


def showable(text: str) -> str:
    """A text of a file as it may be shown and kept: a � for each character that is none."""
    if text.isprintable():
        return text
    return "".join(
        "�" if unicodedata.category(c) in _NO_TEXT and c not in "\n\t" else c for c in text
    )


def _place(sheet: str, row: int, column: str) -> str:
    parts = (
        f"“{sheet}”" if sheet else "",
        f"第 {row} 行" if row else "",
        f"“{column}”" if column else "",
    )
    return "".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault. ``row`` counts as the spreadsheet does (the header is 1); 0: not of one row.

    ``sheet`` is empty for a file that has no sheets; ``message`` is Chinese and says what is wrong
    and what is expected.
    """

    sheet: str
    row: int
    column: str
    message: str

    def __str__(self) -> str:
        place = _place(self.sheet, self.row, self.column)
        return f"{place}：{self.message}" if place else self.message

    def __post_init__(self) -> None:
        """The texts quote the file, which may hold anything."""
        _clean(self, "sheet", "column", "message")


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """Something that was read otherwise than it is written, which the user is shown.

    ``sheet``, ``row`` and ``column`` as in :class:`Fault`; ``before`` is what the file has,
    ``after`` what was read (empty: nothing), ``why`` the rule, in Chinese.
    """

    sheet: str
    row: int
    column: str
    before: str
    after: str
    why: str

    def __str__(self) -> str:
        place = _place(self.sheet, self.row, self.column)
        read = f"读作“{self.after}”" if self.after else "没有读入"
        return f"{place}：“{self.before}”{read}（{self.why}）"

    def __post_init__(self) -> None:
        """The texts quote the file, which may hold anything."""
        _clean(self, "sheet", "column", "before", "after")


def _clean(told: object, *names: str) -> None:
    for name in names:
        text = getattr(told, name)
        clean = showable(text)
        if clean is not text:
            object.__setattr__(told, name, clean)
