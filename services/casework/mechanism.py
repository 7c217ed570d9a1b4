"""What a mechanism declares: its script, its edition, and the functions it names (rule F)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.casework.effects import EffectCall
    from services.casework.here import Here
    from services.casework.script import Casework


EffectFunction = Callable[["EffectCall"], Any]
"""Acts outside the replay; may be called again after a crash."""
UndoFunction = Callable[["Here", Any], None]
"""Takes a ``record`` back: where it stands, and the value that was recorded."""


@dataclass(frozen=True, slots=True)
class BranchScript:
    """The script of a branch: what its rows are, and where a row's own date comes from."""

    run: Callable[["Casework"], None]
    row: str = ""
    row_date: Callable[["Here"], date] | None = None
    row_original: Callable[["Here"], date] | None = None
    """The first date of a row whose date was moved before its branch opened; None: its date."""
    move_row: Callable[["Here", date], None] | None = None
    """Gives the row another date (延期); wherever there is one to read there is one to move."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One edition of a mechanism. An edition fixes order, keys, answers and participants."""

    name: str
    edition: int
    clause: str
    rows: tuple[str, ...]
    scripts: dict[str, BranchScript] = field(default_factory=dict)
    """The scripts of its branches by name; ``""`` is the root's."""
    series: str = ""
    """What a launch numbers its cases by (文号); "" when each is opened with material of its own,
    as a rectification by the import of its feedback: such cases cannot be launched."""


_mechanisms: dict[tuple[str, int], Mechanism] = {}
_effects: dict[str, EffectFunction] = {}
_undos: dict[str, UndoFunction] = {}
_forms: dict[str, "Callable[[Here, Any], Any]"] = {}


def mechanisms() -> Mapping[tuple[str, int], Mechanism]:
    """Every mechanism that was imported, by name and edition."""
    return dict(_mechanisms)


def mechanism(
    name: str, *, edition: int, clause: str, rows: tuple[str, ...], series: str = ""
) -> Callable[[Callable[["Casework"], None]], Callable[["Casework"], None]]:
    """Declare the script of a mechanism; ``rows`` are its obligations (domain §6).

    ``series``: see :class:`Mechanism`.
    """

    def declare(script: Callable[["Casework"], None]) -> Callable[["Casework"], None]:
        made = _mechanisms.setdefault((name, edition), Mechanism(name, edition, clause, rows))
        if "" in made.scripts:
            raise ValueError(f"mechanism {name} edition {edition} is declared twice")
        made.scripts[""] = BranchScript(script)
        _mechanisms[name, edition] = Mechanism(name, edition, clause, rows, made.scripts, series)
        return script

    return declare


def branch_script(
    name: str,
    *,
    edition: int,
    row: str,
    row_date: Callable[["Here"], date] | None = None,
    row_original: Callable[["Here"], date] | None = None,
    move_row: Callable[["Here", date], None] | None = None,
) -> Callable[[Callable[["Casework"], None]], Callable[["Casework"], None]]:
    """Declare the script of a mechanism's branches; ``row`` names what each is about."""
    if (row_date is None) is not (move_row is None):
        raise ValueError(f"a row of {name} has a date that cannot be moved, or none to move")

    def declare(script: Callable[["Casework"], None]) -> Callable[["Casework"], None]:
        made = _mechanisms.setdefault((name, edition), Mechanism(name, edition, "", ()))
        made.scripts[script.__name__] = BranchScript(script, row, row_date, row_original, move_row)
        return script

    return declare


def effect(run: EffectFunction) -> EffectFunction:
    """Name a function that acts outside the replay (rule I); a crash may have it called again."""
    _effects[run.__name__] = run
    return run


def undo(run: UndoFunction) -> UndoFunction:
    """Name a function that takes a ``record`` back; it gets the recorded value. Database only."""
    _undos[run.__name__] = run
    return run


def form(name: str) -> "Callable[[Callable[[Here, Any], Any]], Callable[[Here, Any], Any]]":
    """Name the check of a form: it gets the payload, returns what is stored, raises ``Invalid``."""

    def declare(check: "Callable[[Here, Any], Any]") -> "Callable[[Here, Any], Any]":
        _forms[name] = check
        return check

    return declare


def effect_named(name: str) -> EffectFunction:
    """The effect registered under ``name``; KeyError when this code does not know it."""
    return _effects[name]


def undo_named(name: str) -> UndoFunction:
    """The undo function registered under ``name``; KeyError when this code does not know it."""
    return _undos[name]


def form_check(name: str) -> "Callable[[Here, Any], Any] | None":
    """The check of a form, or None for a step without one."""
    return _forms.get(name)
