"""What was signed on paper (线下签批登记): which day may stand on it, and what may show it.

The decision was made on the day of the paper, so that day says whether it was late: whoever signed
in time is not late because a clerk came to it later. The day on which it was recorded is kept and
shown beside it.
"""

from datetime import date, datetime

from policy.calendar import instant_on
from policy.evidence import SHOWN, kind_by_name

_SCANS = "扫描件只收 PDF 和图片（.jpg、.png、.gif、.webp）"


def day_refusal(signed_on: date, asked_on: date, today: date) -> str | None:
    """Why a paper cannot bear this day, in Chinese, or None; ``asked_on``: since when it waits."""
    if signed_on > today:
        return "签批日期不能晚于今天"
    if signed_on < asked_on:
        return f"签批日期不能早于这一项送达的日期（{asked_on.month}月{asked_on.day}日）"
    return None


def judged_at(signed_on: date) -> datetime:
    """The moment by which a paper is late or in time: a due date ends with its day, so the first
    moment of the day that stands on the paper tells them apart."""
    return instant_on(signed_on)


def scan_refusal(name: str) -> str | None:
    """Why a file of this (tidy) name is no scan, in Chinese, or None: it has to show itself in a
    browser, so that who signed sees at once what was recorded."""
    return None if kind_by_name(name) in SHOWN else _SCANS
