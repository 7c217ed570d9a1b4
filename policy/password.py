"""Which passwords are too easily guessed (reliability §5; ASVS 6.2), without asking anybody.

The rule: everything that a guesser tries first is taken out of the password – common words (the
list of ``policy.guessable``), the log-in and its parts, the names of the person's units and posts,
runs of the alphabet, of digits and of the keyboard, and repeated characters. What is left must
still be eight characters, at least five of them different. No mixture of kinds of characters is
asked for, and nobody has to change a password because time passed.
"""

import re
import unicodedata
from collections.abc import Iterable

from policy.guessable import GUESSABLE

SHORTEST, LONGEST = 12, 200
LEFT, DIFFERENT = 8, 5
"""How many characters must be left, and how many of them different."""
_RUN = 4
"""From how many neighbours on a run of them is no secret."""
_PART = 3
"""A shorter part of a log-in or a name says nothing."""
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "!@#$%^&*()",
)
_RUNS = (*_ROWS, *(row[::-1] for row in _ROWS))
_LOOKALIKES = str.maketrans("@$013457", "asoieast")
_REPEATED = re.compile(r"(.)\1{2,}")


def plain(password: str) -> str:
    """A password as it is hashed: NFKC, so that a full-width digit is the digit."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, *, login: str = "", names: Iterable[str] = ()) -> str | None:
    """Why a password will not do, in Chinese, or None. It never repeats what it was given.

    ``names``: the units and posts of whoever it is for.
    """
    text = plain(password)
    if len(text) < SHORTEST:
        return f"密码至少 {SHORTEST} 个字符"
    if len(text) > LONGEST:
        return f"密码最长 {LONGEST} 个字符"
    left = _without(text.casefold(), _guesses(login, names))
    if len(left) < LEFT or len(set(left)) < DIFFERENT:
        return "密码太容易猜到：去掉常用词、用户名、单位名称和连续的字符后，剩下的不够多"
    return None


def _guesses(login: str, names: Iterable[str]) -> list[str]:
    """What is taken out wherever it stands."""
    own = [plain(text).casefold() for text in (login, *names)]
    parts = [part for text in own for part in (text, *re.split(r"[\W_]+", text))]
    found = {part for part in parts if len(part) >= _PART}
    return sorted(found | GUESSABLE)


def _without(text: str, guesses: list[str]) -> str:
    """What no guess covers, nor what then stands side by side (passpasswordword)."""
    while text:
        covered = _covered(text, guesses)
        if not covered:
            break
        text = "".join(c for at, c in enumerate(text) if at not in covered)
    return text


def _covered(text: str, guesses: list[str]) -> set[int]:
    """The places of a text that belong to a guess, a run or a repetition."""
    alike = text.translate(_LOOKALIKES)  # p@ssw0rd
    spans = [found.span() for found in _REPEATED.finditer(text)]
    for guess in guesses:
        wanted = guess.translate(_LOOKALIKES)
        starts = (at for at in range(len(alike)) if alike.startswith(wanted, at))
        spans += [(at, at + len(wanted)) for at in starts]
    for at in range(len(text)):
        run = max(_run(text[at:], row) for row in _RUNS)
        spans += [(at, at + run)] if run >= _RUN else []
    return {place for start, end in spans for place in range(start, end)}


def _run(text: str, row: str) -> int:
    """How many characters from the first on follow each other in a row of neighbours."""
    at = row.find(text[0])
    if at < 0:
        return 0
    pairs = zip(text, row[at:], strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(text), len(row) - at))
