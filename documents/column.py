"""The columns of a table that people fill in: for reading it, and for the template of it."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What the cells of a column are, and with that what is forgiven in them."""

    TEXT = "text"
    """Prose: kept as written but for blanks around it and full-width digits and letters."""
    NAME = "name"
    """A name of a unit, a post, a person: no blanks or line breaks, brackets full-width."""
    NAMES = "names"
    """Several names, parted by 、 or what people write for it."""
    CODE = "code"
    """A code: no blanks, half-width throughout."""
    NUMBER = "number"
    """A whole number from 1 to 99,999."""
    DAY = "day"
    """A date from 2000 to 2100: a date cell, a day number, or a text that is one beyond doubt."""
    CHOICE = "choice"
    """One of ``choices``."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, by the name its header has in the template."""

    name: str
    kind: Kind = Kind.TEXT
    blank: bool = False
    """Its cells may be empty."""
    needed: bool = True
    """The header must have it; without, every row reads as empty there."""
    longest: int = 60
    """The most characters a cell may have (TEXT, NAME, NAMES, CODE)."""
    also: tuple[str, ...] = ()
    """Other names that its header may have."""
    choices: tuple[str, ...] = ()
    """What a CHOICE accepts, and what the template offers."""
    says: str = ""
    """One Chinese sentence for the template: what belongs there."""
