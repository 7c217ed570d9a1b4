"""What may be an address: one target, of a kind we know, at a place we may talk to."""

import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from notifications.robots import ROBOTS

MAIL = "mail"
KINDS = frozenset({MAIL, *ROBOTS})
"""Apprise knows a hundred more: some read files, run programs or talk to the local bus."""
_NAMES = {"mailtos": MAIL}


@dataclass(frozen=True, slots=True)
class Address:
    """What an address is, without the secret in it. ``inside``: within the trusted network."""

    kind: str
    inside: bool


def address_of(service: Any, inside_hosts: Collection[str]) -> Address | None:
    """The address of Apprise's parsed ``service``; None for one that is not to be used at all.

    ``inside_hosts`` are the mail servers that the house's settings declare as inside.
    """
    scheme = str(service.secure_protocol)
    kind = _NAMES.get(scheme, scheme)
    if kind not in KINDS or _targets(service) != 1:
        return None
    if kind != MAIL:
        return Address(kind, inside=False)
    if _fetches_keys(service):
        return None
    return Address(kind, inside=host_of(service) in inside_hosts)


def host_of(service: Any) -> str:
    """The mail server an address of mail talks to; an option of the address may name it."""
    return str(getattr(service, "smtp_host", "") or service.host or "").lower()


def may_connect(host: str) -> bool:
    """Whether every address of a host lies on the public network.

    A person's own address must not make this server talk to its neighbours. A name that does not
    resolve is left to the connection, which then fails for now and not for good.
    """
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return True
    return all(ip_address(str(entry[4][0]).split("%")[0]).is_global for entry in found)


def _targets(service: Any) -> int:
    copies = (getattr(service, name, None) or () for name in ("cc", "bcc"))
    return len(service) + sum(len(copy) for copy in copies)


def _fetches_keys(service: Any) -> bool:
    """Whether the address asks for PGP, whose keys come from a file or a place of its choice."""
    mode = getattr(service, "pgp_mode", None) or "no"
    return bool(getattr(service, "use_wkd", False)) or str(mode) not in {"no", "none"}
