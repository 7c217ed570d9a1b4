"""The channels' twin that sends nothing and remembers everything, for tests and the demo."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from notifications.address import Address
from notifications.outcome import Outcome, Sent


@dataclass(frozen=True, slots=True)
class Posted:
    """One text as it would have gone out."""

    url: str
    title: str
    body: str


@dataclass(slots=True)
class RecordingChannels:
    """Keeps what was sent in ``posted``; answers with ``outcomes`` in turn, then always Sent.

    An address is understood when it has a scheme; ``inside://…`` is one of the trusted network.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)

    def answer(self, outcomes: Iterable[Outcome]) -> None:
        """Let the next sends end like this."""
        self.outcomes.extend(outcomes)

    def address(self, url: str) -> Address | None:
        """The scheme as the kind."""
        kind, separator, _ = url.partition("://")
        return Address(kind, kind == "inside") if separator else None

    def send(self, url: str, *, title: str, body: str) -> Outcome:
        """Remember the text and give the next outcome."""
        self.posted.append(Posted(url, title, body))
        return self.outcomes.pop(0) if self.outcomes else Sent()
