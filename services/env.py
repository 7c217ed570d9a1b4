"""The one value the composition root hands to the services."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine

from notifications.address import Address
from notifications.outcome import Outcome
from policy.clock import Looked
from services.file_store import FileStore

Clock = Callable[[], datetime]
"""Returns the present as an aware UTC datetime. Only ``deployments.clock`` reads a real clock."""


class Channels(Protocol):
    """Sends one text to one Apprise address and says what became of it (see ``notifications``)."""

    def address(self, url: str) -> Address | None: ...

    def send(self, url: str, *, title: str, body: str) -> Outcome: ...


def _nothing() -> None:
    """No drain runs in this process; another one's, or the next five seconds, will do."""


def _never(now: datetime) -> Looked | None:
    """This process does not know when it looked last."""
    return None


def _by_chance() -> str:
    """Nobody can know it before."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class SignInRules:
    """What an installation asks of log-ins beyond the password."""

    key: str = field(default="", repr=False)
    """Any text that only this installation has: secrets of one-time codes lie encrypted under it.
    '' : nobody can use such codes."""
    password_days: int = 0
    """After how many days a password must be changed; 0: never, which is what ASVS 6.2.10 asks."""
    administrators_need_codes: bool = False
    """Whether the three administrators can do nothing before they use one-time codes."""


@dataclass(frozen=True, slots=True)
class Env:
    """Engine, clock, registry of mechanisms, channels, and where our pages are."""

    engine: Engine
    clock: Clock
    mechanisms: Mapping[tuple[str, int], Any] = field(default_factory=dict)
    channels: Channels | None = None
    base_url: str = "http://127.0.0.1:8000"
    nudge: Callable[[], None] = _nothing
    """Called after a commit that left work for the drain of this process (rule K)."""
    sending: bool = True
    """The one switch: False, and nothing leaves the house; messages in the pages go on."""
    runs_per_second: float = 5.0
    """How many Prefect runs are made in a second, by all workers together (rule H)."""
    operator: int | None = None
    """The person who is told what the system cannot mend by itself; None: nobody is named."""
    looked: Callable[[datetime], Looked | None] = _never
    """Called at each look of the watch with what the clock says: its last one in this process."""
    sign_in: SignInRules = SignInRules()
    """What is asked of log-ins."""
    files: FileStore | None = None
    """Where evidence is kept; None: this process keeps none."""
    seal_key: str = field(default="", repr=False)
    """The private key that seals the audit, in hex; '': this installation seals nothing."""
    seal_hash: str = "sha256"
    """The hash function of its seals (``services.seal_hash.ALGORITHMS``)."""
    seal_outbox: Path | None = None
    """Where a seal is left each day, to be taken out of the house; None: nowhere."""
    words: Callable[[str], str] = str
    """Texts of the catalogue by their keys (``step.<mechanism>.<key>``); a key it lacks stays."""
    seed: Callable[[], str] = _by_chance
    """What a sample is drawn by (:mod:`policy.sampling`): by chance, but in a played demonstration,
    which comes out the same each time."""


_installed: list[Env] = []


def install(env: Env) -> None:
    """Fill the slot that the Prefect flows read. Called by ``deployments`` only."""
    _installed[:] = [env]


def is_installed() -> bool:
    """Whether the slot is filled already: a worker fills it before it imports the flows."""
    return bool(_installed)


def installed() -> Env:
    """The environment of this process; RuntimeError before :func:`install`."""
    if not _installed:
        raise RuntimeError("no environment is installed: import deployments.entry first")
    return _installed[0]
