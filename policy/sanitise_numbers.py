"""Identity numbers and telephone numbers, however their digits are grouped (domain §7.2)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policy.sanitise_text import Place

_SEPARATOR = r"[ \t\-—–_.·]{1,2}"
_CHAIN = re.compile(rf"[0-9]{{1,40}}(?:{_SEPARATOR}[0-9]{{1,40}}){{0,24}}")
"""Groups of digits; what is longer than this is read in pieces."""
_GROUP = re.compile(r"[0-9]{1,40}")
_LANDLINE = re.compile(
    r"(?<![0-9])[(（]?0(?:10|2[0-9]|[3-9][0-9]{2})[)）]?[ \-—–]?[0-9]{7,8}(?![0-9])"
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_DIGITS, _MOBILE = 18, 11
_LENGTHS = (_MOBILE, _MOBILE + 2, _MOBILE + 4, _DIGITS - 1, _DIGITS)
"""A mobile's number, with 86 or 0086 before it; an identity number, with or without its X."""
_AMOUNT = ("元", "万", "亿")
_LETTER = re.compile("[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Number:
    """A number that may be somebody's. ``sure``: its check digit is right, or it is a mobile's."""

    identity: bool
    sure: bool
    place: Place


def check_digit(first: str) -> str:
    """The last place of an identity number, by its first 17 (GB 11643)."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first, strict=True))
    return _CHECKS[total % 11]


def numbers(text: str) -> Iterator[Number]:
    """Every such number of a plain text."""
    for chain in _CHAIN.finditer(text):
        if chain.end() - chain.start() >= _MOBILE:
            yield from _of_chain(text, chain.start(), chain.end())
    for found in _LANDLINE.finditer(text):
        yield Number(False, False, found.span())


def _of_chain(text: str, start: int, end: int) -> Iterator[Number]:
    groups = [found.span() for found in _GROUP.finditer(text, start, end)]
    taken = start
    for first, (begin, _) in enumerate(groups):
        if begin < taken or (begin and _LETTER.match(text[begin - 1])):
            continue
        found = _starting(text, groups, first)
        if found is not None:
            taken = found.place[1]
            yield found


def _starting(text: str, groups: Sequence[Place], first: int) -> Number | None:
    """The number whose digits begin with this group."""
    digits = ""
    for last in range(first, len(groups)):
        digits += text[slice(*groups[last])]
        if len(digits) > _DIGITS:
            return None
        if len(digits) not in _LENGTHS:
            continue
        place = groups[first][0], groups[last][1]
        whole = len(groups) == last - first + 1
        sizes = [end - begin for begin, end in groups[first : last + 1]]
        found = _identity(text, digits, place) or _mobile(text, digits, sizes, place, whole=whole)
        if found is not None:
            return found
    return None


def _identity(text: str, digits: str, place: Place) -> Number | None:
    end = place[1]
    if len(digits) == _DIGITS - 1 and text[end : end + 1] in ("X", "x"):
        digits, end = f"{digits}X", end + 1
    if len(digits) != _DIGITS or _LETTER.match(text[end : end + 1]) or not _born(digits):
        return None
    return Number(True, check_digit(digits[:-1]) == digits[-1], (place[0], end))


def _born(digits: str) -> bool:
    year, month, day = int(digits[6:10]), int(digits[10:12]), int(digits[12:14])
    return 1900 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31


def _mobile(
    text: str, digits: str, sizes: Sequence[int], place: Place, *, whole: bool
) -> Number | None:
    bare = digits.removeprefix("00").removeprefix("86") if len(digits) > _MOBILE else digits
    if len(bare) != _MOBILE or bare[0] != "1" or bare[1] not in "3456789":
        return None
    grouped = sizes[-3:] == [3, 4, 4] or len(set(sizes)) == 1 or min(sizes) > 1
    if text.startswith(_AMOUNT, place[1]) or not (len(sizes) <= 2 or grouped):
        return None
    usual = len(sizes) == 1 or sizes[-3:] == [3, 4, 4]
    return Number(False, True, place) if usual or whole else None
