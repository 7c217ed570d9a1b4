"""三态完成: what is said of a problem that was worked on, and what has to be said with it.

已完成, 基本完成 and 长期坚持 are claims of whoever is responsible; another body verifies what is
claimed. What is not completed says what remains, by what measures, and when it is looked at again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

LONGEST = 1000
"""Characters of what remains, and of the measures."""


class Completion(StrEnum):
    """How far a problem is, as it is claimed and verified."""

    DONE = "done"
    """已完成: all of it is put right, and the problem is closed (销号)."""
    BASIC = "basic"
    """基本完成: the greater part is; what remains has its measures and a day."""
    LONG_TERM = "long_term"
    """长期坚持: it has taken hold and is kept up, and looked at again and again."""


class Wrong(Exception):
    """A claim that lacks something; ``field`` is where, ``why`` one of the words below."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field
        self.why = why


@dataclass(frozen=True, slots=True)
class Claim:
    """What is said of a problem. ``remains``, ``measures``, ``review_on``: unless it is done."""

    completion: Completion
    remains: str = ""
    measures: str = ""
    review_on: date | None = None

    def as_json(self) -> dict[str, str]:
        """As it is kept with the decision that said it."""
        told = {"completion": self.completion.value}
        if self.review_on is None:
            return told
        more = {"remains": self.remains, "measures": self.measures}
        return told | more | {"review_on": self.review_on.isoformat()}


def claim(given: Mapping[str, Any] | None, today: date, latest: date) -> Claim:
    """The claim that was filled in; :class:`Wrong` with its field.

    Who applies for closing and says no more claims 已完成. ``latest`` is the last day on which what
    is not done has to be looked at again.
    """
    if given is None:
        return Claim(Completion.DONE)
    said = given.get("completion") if isinstance(given, Mapping) else None
    if said not in list(Completion):
        raise Wrong("completion", "which")
    completion = Completion(said)
    if completion is Completion.DONE:
        return Claim(completion)
    remains, measures = (_text(given, name) for name in ("remains", "measures"))
    return Claim(completion, remains, measures, review_day(given, today, latest))


def review_day(given: Mapping[str, Any], today: date, latest: date) -> date:
    """The day on which a problem is looked at again: after today and not after ``latest``."""
    try:
        day = date.fromisoformat(str(given.get("review_on") or ""))
    except ValueError:
        raise Wrong("review_on", "which") from None
    if not today < day <= latest:
        raise Wrong("review_on", "outside")
    return day


def _text(given: Mapping[str, Any], name: str) -> str:
    text = given.get(name)
    if not isinstance(text, str) or not text.strip():
        raise Wrong(name, "missing")
    if len(text) > LONGEST:
        raise Wrong(name, "long")
    return text.strip()
