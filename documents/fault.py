"""What is wrong in a file somebody sent, and where they find it; what was read otherwise."""

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """Something that was read otherwise than it is written, which the user is shown.

    ``sheet``, ``row`` and ``column`` as in :class:`Fault`; ``before`` is what the file has,
    ``after`` what was read, ``why`` the rule, in Chinese.
    """

    sheet: str
    row: int
    column: str
    before: str
    after: str
    why: str

    def __str__(self) -> str:
        place = _place(self.sheet, self.row, self.column)
        return f"{place}：“{self.before}”读作“{self.after}”（{self.why}）"
