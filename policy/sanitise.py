"""What must not be stored here (domain §7.2, §7.3): a gate that every text from outside passes.

It knows patterns, not meanings. A finding says of what kind something is and where it stands, and
never what it says, so that a page can point at it and no log holds it. What is beyond doubt is to
be refused (``block``); what may be harmless is to be looked at by who wrote it (``warn``). What a
field does with either is in :mod:`policy.text_fields`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from policy.sanitise_names import names
from policy.sanitise_numbers import numbers
from policy.sanitise_text import Place, Plain, clauses, joined, plain, sentences
from policy.sanitise_words import (
    ACCUSES,
    CASE_WORDS,
    DUTY,
    MARK,
    accuses,
    case_material,
    informant,
    marks,
    may_hold,
)

_CLASSES = ("绝密", "机密", "秘密")
BLACK = "■"
"""What stands for a letter that does not leave."""


class Level(StrEnum):
    """How sure the gate is."""

    WARN = "warn"
    BLOCK = "block"


class Kind(StrEnum):
    """What was found."""

    IDENTITY = "identity"
    """An identity number; sure when its check digit is right."""
    TELEPHONE = "telephone"
    """A telephone number; sure when it is a mobile's, which is a person's own."""
    PERSON = "person"
    """A person's name beside a word of a case, in one clause; sure unless it tells of an office."""
    CASE = "case"
    """Material of a case, or a measure against somebody."""
    MARK = "mark"
    """The mark of a classified paper."""
    INFORMANT = "informant"
    """Who reported something, or what they wrote."""


REASONS = {
    Kind.MARK: "像是密级标志，标有密级的内容不能放在这里，请走保密渠道",
    Kind.IDENTITY: "像是含有身份证号码，请删去",
    Kind.TELEPHONE: "像是含有电话号码，请删去",
    Kind.PERSON: "像是把人的姓名同举报、线索或者案件写在一起，请删去姓名，有关内容请走保密渠道",
    Kind.CASE: "像是含有线索处置或者审查调查的内容，本系统不收，请走保密渠道",
    Kind.INFORMANT: "像是含有举报人、信访人的情况或者举报内容，本系统不收，请走保密渠道",
}
"""What people are told, the gravest first. It never repeats what was found."""
_GRAVITY = list(REASONS)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was noticed: characters ``start`` to ``end`` (exclusive) of the text."""

    kind: Kind
    level: Level
    start: int
    end: int

    @property
    def reason(self) -> str:
        """Why it does not belong here, in Chinese, without what it is."""
        return REASONS[self.kind]


def findings(text: str) -> tuple[Finding, ...]:
    """All that is noticed in a text: what is refused first, then the gravest kinds first."""
    read = plain(text)
    if not may_hold(read.text):
        return ()
    found = [*_of_numbers(read), *_of_words(joined(read))]
    return tuple(sorted(found, key=_order))


def blackened(text: str) -> str:
    """The text as it may leave the house: what is beyond doubt is blackened, letter for letter.

    For what was kept before the gate knew of it; what somebody confirmed stays.
    """
    letters = list(text)
    for found in findings(text):
        if found.level is Level.BLOCK:
            letters[found.start : found.end] = BLACK * (found.end - found.start)
    return "".join(letters)


def is_marked(text: str) -> bool:
    """Whether a line of a file, or its name, bears the mark of a classified paper (密级标志).

    Narrower than :func:`findings`, because a paper may well speak about secrecy: words such as
    机密级文件管理 are no mark, and neither are spaces what tells a mark from another.
    """
    plainly = joined(plain(text)).text
    stem = plainly.rpartition(".")[0] or plainly
    return stem in _CLASSES or MARK.search(plainly) is not None


def _order(found: Finding) -> tuple[bool, int, int]:
    return found.level is not Level.BLOCK, _GRAVITY.index(found.kind), found.start


def _level(sure: bool) -> Level:
    return Level.BLOCK if sure else Level.WARN


def _of_numbers(read: Plain) -> Iterator[Finding]:
    for one in numbers(read.text):
        kind = Kind.IDENTITY if one.identity else Kind.TELEPHONE
        yield Finding(kind, _level(one.sure), *read.place(*one.place))


def _of_words(read: Plain) -> Iterator[Finding]:
    for place, sure in marks(read.text):
        yield Finding(Kind.MARK, _level(sure), *read.place(*place))
    for begin, stop in sentences(read.text):
        sentence = read.text[begin:stop]
        accused = accuses(sentence)
        for start, end in clauses(sentence):
            for kind, (first, last), sure in _of_clause(sentence[start:end], accused=accused):
                at = begin + start
                yield Finding(kind, _level(sure), *read.place(at + first, at + last))


def _of_clause(clause: str, *, accused: bool) -> Iterator[tuple[Kind, Place, bool]]:
    for kind, places in (
        (Kind.CASE, case_material(clause)),
        (Kind.INFORMANT, informant(clause)),
        (Kind.PERSON, _persons(clause, accused=accused)),
    ):
        yield from ((kind, place, sure) for place, sure in places)


def _persons(clause: str, *, accused: bool) -> Iterator[tuple[Place, bool]]:
    """``accused``: the sentence tells of something that nobody does in their office."""
    if not (accused or CASE_WORDS.search(clause)):
        return
    sure = accused or DUTY.search(clause) is None or ACCUSES.search(clause) is not None
    for place in names(clause):
        yield place, sure
