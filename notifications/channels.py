"""The Apprise adapter: one text to one address, once, and what became of it.

Apprise answers True or False; why is only in what it logs. Each service object therefore gets a
log of its own that is read here and goes nowhere else: addresses hold tokens (traps 20).
"""

import logging
import re
from collections.abc import Collection, Mapping
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyFormat

from notifications.address import Address, address_of, host_of, may_connect
from notifications.outcome import Outcome, Refused, Sent, Unknown
from notifications.robots import ROBOTS, Robot, by_status, post

_SMTP = re.compile(r"\((\d{3}), b?['\"]")
_HTTP = re.compile(r"\berror=(\d{3})\b")
_NEVER_CONNECTED = re.compile(
    r"refused|Errno 111|Name or service not known|resolution|Failed to establish|unreachable",
    re.IGNORECASE,
)
_NOT_OFFERED = re.compile(r"extension not supported|No suitable authentication", re.IGNORECASE)
_MUTED = ("apprise", "urllib3", "urllib3.connectionpool")


class AppriseChannels:
    """Sends over Apprise: no retries of its own, no redirects, no queue, nothing logged.

    ``inside_hosts``: the mail servers within the trusted network, by the names the addresses use.
    Only to them may texts carry titles, and only they may have a private network address.
    """

    def __init__(
        self, *, inside_hosts: Collection[str] = (), robots: Mapping[str, Robot] = ROBOTS
    ) -> None:
        self._inside = frozenset(host.lower() for host in inside_hosts)
        self._robots = robots
        self._asset = AppriseAsset(
            app_id="fourduties",
            async_mode=False,
            default_service_retry=0,
            http_redirects=False,
            storage_mode="memory",
        )
        _mute()

    def address(self, url: str) -> Address | None:
        """What an address is; None when it is not understood, of no known kind, or of several."""
        try:
            service = self._service(url)
            return None if service is None else address_of(service, self._inside)
        except Exception:  # whatever a plugin raises may quote the address
            return None

    def send(self, url: str, *, title: str, body: str) -> Outcome:
        """Send one text to one address.

        Never raises and never says the address: a library's traceback would hold it. An address
        that :meth:`address` does not know is refused for good.
        """
        try:
            service = self._service(url)
            address = None if service is None else address_of(service, self._inside)
        except Exception as error:  # whatever a plugin raises may quote the address
            return Refused(permanent=False, detail=type(error).__name__)
        if address is None:
            return Refused(permanent=True, detail="address not understood, or not one target")
        try:
            return self._send(service, address, title, body)
        except Exception as error:  # as above; by now something may have left
            return Unknown(type(error).__name__)

    def send_own(self, url: str, *, title: str, body: str) -> Outcome:
        """Send to an address of the installation's own settings: any kind that Apprise knows,
        wherever it is. Otherwise as :meth:`send`."""
        try:
            service = self._service(url)
            if service is None:
                return Refused(permanent=True, detail="address not understood")
            own = Address(str(service.secure_protocol), inside=True)
            return self._send(service, own, title, body)
        except Exception as error:  # as above
            return Unknown(type(error).__name__)

    def _send(self, service: Any, address: Address, title: str, body: str) -> Outcome:
        robot = self._robots.get(address.kind)
        if robot is not None:
            return post(robot, service, f"{title}\n{body}".strip())
        if not address.inside and not may_connect(host_of(service)):
            return Refused(permanent=True, detail="not a public address")
        said = service.logger = _Said()
        if _notify(service, title, body):
            return Sent()
        return _why(said.lines)

    def _service(self, url: str) -> Any:
        service: Any = Apprise.instantiate(url, asset=self._asset)
        if service is not None:  # the address itself may ask for all three
            service.retry, service.redirects, service.optional = 0, False, False
        return service


def _notify(service: Any, title: str, body: str) -> bool:
    sender = Apprise()
    sender.add(service)
    return bool(sender.notify(body=body, title=title, body_format=NotifyFormat.TEXT))


def _why(lines: list[str]) -> Outcome:
    """The outcome of a False: a code means the other side answered; else it depends on when."""
    text = "\n".join(lines)
    if found := _SMTP.search(text):
        return Refused(permanent=found[1].startswith("5"), detail=f"smtp {found[1]}")
    if found := _HTTP.search(text):
        return by_status(int(found[1]))
    if _NOT_OFFERED.search(text):
        return Refused(permanent=True, detail="smtp lacks what the address asks for")
    if _NEVER_CONNECTED.search(text):
        return Refused(permanent=False, detail="no connection")
    return Unknown("no answer")


class _Said(logging.Logger):
    """The log of one service object: kept in memory, read once, handed to no handler."""

    def __init__(self) -> None:
        super().__init__("apprise.service", logging.DEBUG)
        self.lines: list[str] = []

    def handle(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _mute() -> None:
    """A filter, because levels and ``disabled`` are reset by whoever configures logging next."""
    for name in _MUTED:
        logging.getLogger(name).addFilter(_nothing)
