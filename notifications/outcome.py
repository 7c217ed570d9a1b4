"""What became of one attempt to send."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel took it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel did not take it. ``permanent``: asking again will not help.

    ``detail`` is a code or a few words of our own, never the address or the other side's text.
    """

    permanent: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have arrived (a lost answer): repeated at most once (INV-9)."""

    detail: str


Outcome = Sent | Refused | Unknown
