"""The gate at the commands (domain §7.3): every text of a person passes :func:`check_text`.

What the gate does with a field is in :mod:`policy.text_fields`; no text and no part of one is in
an error, a log or an audit entry, only where it stands and of what kind it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from documents.fault import Fault
from policy.sanitise import Finding, findings
from policy.text_fields import FIELDS, Effect
from services.command import Actor
from services.errors import Invalid
from services.faulty import Faulty

CONFIRM = "确认可以保存的，请勾选“我已核对，不含上述内容”后重新提交"
_MOST_TOLD = 3


class Unconfirmed(Invalid):
    """有内容需要核对，没有保存。"""

    code = "unconfirmed"


class UnconfirmedFile(Faulty):
    """文件中有内容需要核对，没有保存任何内容。"""

    code = "unconfirmed"
    asks = True

    def __init__(self, places: Sequence[Fault]) -> None:
        super().__init__(places)
        said = "；".join(str(place) for place in places[:_MOST_TOLD])
        more = f"；等共 {len(places)} 处" if len(places) > _MOST_TOLD else ""
        self.message = f"请核对：{said}{more}。{CONFIRM}。"
        self.details |= {"field": "file", "confirm": True}


def check_text(actor: Actor, command: str, name: str, value: Any) -> frozenset[str]:
    """What a person gives to a field, through the gate; the field, if they confirmed it.

    ``value`` is a text, or JSON with texts in it. Invalid, with the field and the places, for what
    is refused; :class:`Unconfirmed` for what they are to look at, unless they have said of this
    request that they did. What is returned belongs into ``Work.confirmed``.
    """
    field = FIELDS[command, name]
    noticed = [found for text in _texts(value) for found in findings(text)]
    barred = [found for found in noticed if field.effect(found) is Effect.REFUSE]
    if barred:
        raise Invalid(f"{_told(barred)}。", field=name, noticed=_places(barred))
    if noticed and not actor.confirmed:
        said = f"请核对：{_told(noticed)}。{CONFIRM}。"
        raise Unconfirmed(said, field=name, noticed=_places(noticed), confirm=True)
    return frozenset({name} if noticed else ())


def check_file(actor: Actor, command: str, notices: Sequence[Fault]) -> frozenset[str]:
    """The same for the cells of a file, which the reader of files put through the gate.

    :class:`UnconfirmedFile` with every place.
    """
    if FIELDS[command, "data"].doubtful is not Effect.CONFIRM:
        raise ValueError(command)
    if notices and not actor.confirmed:
        raise UnconfirmedFile(notices)
    return frozenset({"data"} if notices else ())


def refused_name(command: str, name: str, text: str) -> str | None:
    """Why a name is refused, for who tells several faults at once; None when it is not."""
    field = FIELDS[command, name]
    found = (one for one in findings(text) if field.effect(one) is Effect.REFUSE)
    return next((one.reason for one in found), None)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _told(found: Sequence[Finding]) -> str:
    """Reasons with their places, the gravest first."""
    said = []
    for reason in dict.fromkeys(one.reason for one in found):
        places = [f"{one.start + 1} 至 {one.end}" for one in found if one.reason == reason]
        more = " 等" if len(places) > _MOST_TOLD else ""
        said.append(f"第 {'、'.join(places[:_MOST_TOLD])}{more} 个字{reason}")
    return "；".join(said[:_MOST_TOLD])


def _places(found: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {"kind": one.kind.value, "level": one.level.value, "start": one.start, "end": one.end}
        for one in found[:20]
    ]
