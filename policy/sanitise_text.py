"""A text as the gate reads it: one form for what looks alike, and the way back to where it was."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from re import Pattern

Place = tuple[int, int]
"""Where something begins in the text that was given, and where it ends (exclusive)."""
_LISTED = re.compile(r"\n[ \t]{0,8}(?=[0-9①-⑳一二三四五六七八九十]{1,3}[.、)）]|[(（\-·•])")
"""A line that begins a point of a list: the line before it is another clause."""
_CLAUSE = re.compile(r"[。；！？;!?\n]|[，,](?!(?:已|后|现|正|曾)?(?:被|因)|涉嫌)")
_SENTENCE = re.compile(r"[。；！？;!?\n]")
_BREAK = "\n"


@dataclass(frozen=True, slots=True)
class Plain:
    """Characters, and of each where it comes from in the text that was given."""

    text: str
    origin: Sequence[int]

    def place(self, start: int, end: int) -> Place:
        """Where these characters are in the text that was given."""
        return self.origin[start], self.origin[end - 1] + 1


def plain(text: str) -> Plain:
    """NFKC, without what nobody sees: full-width digits and hidden marks tell nothing apart."""
    if text.isprintable() and unicodedata.is_normalized("NFKC", text):
        return Plain(text, range(len(text)))
    letters: list[str] = []
    origin: list[int] = []
    for at, character in enumerate(text):
        if unicodedata.category(character) == "Cf":
            continue
        same = unicodedata.normalize("NFKC", character)
        letters.append(same)
        origin.extend([at] * len(same))
    return Plain("".join(letters), origin)


def joined(read: Plain) -> Plain:
    """The same without blanks, which get nothing past the gate; points of a list stay apart."""
    if not any(character.isspace() for character in read.text):
        return read
    apart = {found.start() for found in _LISTED.finditer(read.text)}
    kept = [at for at, one in enumerate(read.text) if at in apart or not one.isspace()]
    letters = (_BREAK if at in apart else read.text[at] for at in kept)
    return Plain("".join(letters), [read.origin[at] for at in kept])


def sentences(text: str) -> Iterator[Place]:
    """Where the sentences of a joined text are."""
    return _parts(_SENTENCE, text)


def clauses(text: str) -> Iterator[Place]:
    """Where the clauses of a sentence are. A comma before what was done to somebody parts
    nothing."""
    return _parts(_CLAUSE, text)


def _parts(ends: Pattern[str], text: str) -> Iterator[Place]:
    start = 0
    for found in ends.finditer(text):
        if found.start() > start:
            yield start, found.start()
        start = found.end()
    if start < len(text):
        yield start, len(text)
