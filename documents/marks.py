"""Looks for the marks of classified papers in a file's text: 秘密★1年, 密级：机密, 【绝密】.

Text that comes as text is read line by line (:class:`Marks`). Where a file holds codes of its own
(a PDF's fonts, a .doc's UTF-16), the marks are put into these codes and searched for as bytes.
"""

import re
from collections.abc import Callable
from re import Pattern

from documents.book import Unreadable
from policy.sanitise import is_marked

_LONGEST_LINE, _OVERLAP = 4096, 64
_CLASSES = ("绝密", "机密", "秘密")
_STARS, _COLONS, _BLANKS = "★☆", ":：", " \u3000\u00a0"
_BRACKETS = (("(", ")"), ("（", "）"), ("【", "】"), ("[", "]"), ("〔", "〕"))


class Marked(Unreadable):
    """文件中有密级标志：涉密文件不能放在这里，请走保密渠道。"""

    def __init__(self) -> None:
        super().__init__(str(type(self).__doc__))


class Marks:
    """Takes a text piece by piece; :class:`Marked` when a line of it bears a mark."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0

    def text(self, more: str) -> None:
        """More of the present line."""
        self._pieces.append(more)
        self._length += len(more)
        if self._length > _LONGEST_LINE:
            line = self._look()
            self._pieces, self._length = [line[-_OVERLAP:]], _OVERLAP

    def end(self) -> None:
        """The line ends here."""
        if self._pieces:
            self._look()
            self._pieces, self._length = [], 0

    def _look(self) -> str:
        line = "".join(self._pieces)
        if "密" in line and is_marked(line):
            raise Marked
        return line


def marks_in(code: Callable[[str], bytes | None]) -> Pattern[bytes] | None:
    """The marks in a code that says a character's bytes, or None for one it lacks.

    None when no mark can be written in it.
    """
    secret = [word for name in _CLASSES if (word := _word(name, code))]
    if not secret:
        return None
    blank = _any(_BLANKS, code)
    gap = b"(?:" + blank + b")*" if blank else b""
    classes = b"(?:" + b"|".join(gap.join(map(re.escape, word)) for word in secret) + b")"
    forms = []
    if star := _any(_STARS, code):
        forms.append(classes + gap + star)
    if level := _word("密级", code):
        colon = _any(_COLONS, code)
        between = gap + b"(?:" + colon + gap + b")?" if colon else gap
        forms.append(gap.join(map(re.escape, level)) + between + classes)
    for opening, closing in _BRACKETS:
        if (left := code(opening)) and (right := code(closing)):
            forms.append(re.escape(left) + gap + classes + gap + re.escape(right))
    return re.compile(b"|".join(forms), re.DOTALL) if forms else None


def _word(text: str, code: Callable[[str], bytes | None]) -> list[bytes]:
    """The bytes of every letter; nothing where one of them cannot be written."""
    letters = [code(letter) for letter in text]
    return [letter for letter in letters if letter] if all(letters) else []


def _any(letters: str, code: Callable[[str], bytes | None]) -> bytes:
    known = [re.escape(found) for letter in letters if (found := code(letter))]
    return b"(?:" + b"|".join(known) + b")" if known else b""
