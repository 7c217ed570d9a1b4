"""How pages say things: the catalogue's Chinese as safe HTML, days and moments as ``<time>``."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import segno
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from policy.areas import AREAS
from policy.calendar import SHANGHAI
from services.catalogue import known, translated


def say(message: str, **values: object) -> Markup:
    """The Chinese of a message; what is filled in is escaped unless it is HTML already."""
    text = Markup(translated(message))
    return text % values if values else text


def known_or(message: str, other: str = "") -> str:
    """The Chinese of a message made from data, or ``other`` where the catalogue has none."""
    return translated(message) if known(message) else other


def area(number: int) -> str:
    """The name of one of the seven areas."""
    return AREAS[number - 1]


@pass_context
def day(context: Context, on: date) -> Markup:
    """``3月5日``; with the year when it is not this one."""
    return _time(on.isoformat(), _day(on, context["today"]))


@pass_context
def weekday(context: Context, on: date) -> str:
    """``周五``; ``今日`` for today; nothing for another year."""
    if on == context["today"]:
        return translated("today")
    return translated(f"weekday.{on.weekday()}") if on.year == context["today"].year else ""


@pass_context
def full_day(context: Context, on: date) -> Markup:
    """``2027年3月3日 星期三``."""
    return _time(on.isoformat(), f"{_year(on)} {translated(f'weekday.long.{on.weekday()}')}")


@pass_context
def day_of(context: Context, at: datetime) -> Markup:
    """The day in Shanghai of an instant."""
    return Markup(day(context, at.astimezone(SHANGHAI).date()))


@pass_context
def moment(context: Context, at: datetime) -> Markup:
    """``3月1日 16:20`` in Shanghai."""
    local = at.astimezone(SHANGHAI)
    text = f"{_day(local.date(), context['today'])} {local:%H:%M}"
    return _time(local.isoformat(timespec="minutes"), text)


def duration(kind: str, amount: int, of_year: str) -> str:
    """``15 个工作日``, ``3 个月``, ``每年1月15日``, or nothing for a row's own date."""
    if of_year:
        month, of_month = of_year.split("-")
        return translated("duration.fixed", month=int(month), day=int(of_month))
    return translated(f"duration.{kind}", n=amount) if amount else ""


def scannable(text: str) -> Markup:
    """A QR code, dark on light whatever the page's colours are, with the margin that readers need.

    Drawn here: what it says is secret and goes to no one else.
    """
    code = segno.make_qr(text, error="m")
    return Markup(code.svg_inline(scale=4, border=4, dark="#000", light="#fff"))


FILTERS: Mapping[str, Any] = {
    "day": day,
    "day_of": day_of,
    "weekday": weekday,
    "full_day": full_day,
    "moment": moment,
    "scannable": scannable,
}


def _time(machine: str, text: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(machine, text)


def _day(on: date, today: date) -> str:
    return (
        translated("date.day", month=on.month, day=on.day) if on.year == today.year else _year(on)
    )


def _year(on: date) -> str:
    return translated("date.year", year=on.year, month=on.month, day=on.day)
